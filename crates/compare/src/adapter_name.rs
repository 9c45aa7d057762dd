//! The parts of an adapter's name, and the title that the report shows.

use schema::{Language, Setting};

/// The parts of an adapter's name: `emotion.zh-de-en.seed1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AdapterName {
    /// All but the seed: what seeds are joined by.
    pub group: String,
    /// Task whose questions it learnt to translate; `None` if the name has another form.
    pub task: Option<String>,
    /// `None` if the name has another form.
    pub setting: Option<Setting>,
}

impl AdapterName {
    /// Splits a name into its parts; a name of another form is all group.
    pub fn parse(name: &str) -> Self {
        let without_seed = name
            .rsplit_once(".seed")
            .filter(|(_, seed)| seed.parse::<u64>().is_ok());
        let group = without_seed.map_or(name, |(group, _)| group).to_owned();
        let parts = group.rsplit_once('.').and_then(|(task, slug)| {
            let (sources, target) = slug.rsplit_once('-')?;
            let setting: Result<Setting, _> =
                format!("{}=>{target}", sources.replace('-', "/")).parse();
            Some((task.to_owned(), setting.ok()?)) // a name of another form is not an error
        });
        let (task, setting) =
            parts.map_or((None, None), |(task, setting)| (Some(task), Some(setting)));
        Self {
            group,
            task,
            setting,
        }
    }

    /// `zh/de=>en`, and what it was trained on where that is not `task`.
    pub fn title(&self, task: &str) -> String {
        match (&self.setting, &self.task) {
            (Some(setting), Some(trained)) if trained == task => setting.to_string(),
            (Some(setting), Some(trained)) => format!("{setting} (trained on {trained})"),
            _ => self.group.clone(),
        }
    }

    /// The position of its setting among the recipe's, given by slug; after all of them where it
    /// is none of them.
    pub(crate) fn position_in(&self, order: &[String]) -> usize {
        let slug = self.setting.as_ref().map(|setting| setting.slug());
        slug.and_then(|slug| order.iter().position(|other| *other == slug))
            .unwrap_or(usize::MAX)
    }

    pub(crate) fn seen(&self) -> Vec<Language> {
        self.setting
            .iter()
            .flat_map(|setting| setting.seen())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapter_names_are_taken_apart() {
        let name = AdapterName::parse("emotion.zh-de-en.seed1");
        assert_eq!(
            (name.group.as_str(), name.title("emotion").as_str()),
            ("emotion.zh-de-en", "zh/de=>en")
        );
        assert_eq!(name.title("snli"), "zh/de=>en (trained on emotion)");
        assert_eq!(name.seen(), [Language::Zh, Language::De, Language::En]);
        let odd = AdapterName::parse("my-adapter");
        assert_eq!(
            (odd.title("emotion").as_str(), odd.setting),
            ("my-adapter", None)
        );
    }
}
