//! The text around a question that is to be translated: the paper's, or the user's own with
//! three placeholders.
//!
//! Never here: which languages a pair is in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Language;

/// A checked template; prints and is stored as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    written: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Source,
    SourceLanguage,
    TargetLanguage,
}

impl Template {
    /// The template of the paper's training files.
    pub const PAPER: &str =
        "{source}\nTranslate the input from {source_language} to {target_language}:\n";
    /// The words that may be in braces.
    pub const PLACEHOLDERS: &[&str] = &["source", "source_language", "target_language"];

    /// Whether it is the paper's.
    pub fn is_paper(&self) -> bool {
        self.written == Self::PAPER
    }

    /// The paper's.
    pub fn paper() -> Self {
        let parts = vec![
            Part::Source,
            Part::Text("\nTranslate the input from ".to_owned()),
            Part::SourceLanguage,
            Part::Text(" to ".to_owned()),
            Part::TargetLanguage,
            Part::Text(":\n".to_owned()),
        ];
        Self {
            written: Self::PAPER.to_owned(),
            parts,
        }
    }

    /// The text for one question; languages have their English names.
    pub fn render(
        &self,
        source: &str,
        source_language: Language,
        target_language: Language,
    ) -> String {
        let text = |part: &Part| -> String {
            match part {
                Part::Text(text) => text.clone(),
                Part::Source => source.to_owned(),
                Part::SourceLanguage => source_language.name().to_owned(),
                Part::TargetLanguage => target_language.name().to_owned(),
            }
        };
        self.parts.iter().map(text).collect()
    }
}

impl FromStr for Template {
    type Err = String;

    /// `{{` and `}}` stand for braces. The message of a problem says what to write instead.
    fn from_str(written: &str) -> Result<Self, String> {
        const DOUBLE: &str = "; for a brace itself write `{{` or `}}`";
        let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), written);
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, after) = (&rest[at..=at], &rest[at + 1..]);
            if let Some(after) = after.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = match (brace, after.split_once('}')) {
                ("{", Some((name, after))) => (name, after),
                _ => return Err(format!("a single `{brace}` without its partner{DOUBLE}")),
            };
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(read_placeholder(name).ok_or_else(|| {
                let known: Vec<_> = Self::PLACEHOLDERS
                    .iter()
                    .map(|name| format!("`{{{name}}}`"))
                    .collect();
                format!(
                    "unknown placeholder `{{{name}}}`; there are {}{DOUBLE}",
                    known.join(", ")
                )
            })?);
            rest = after;
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        match parts.contains(&Part::Source) {
            true => Ok(Self {
                written: written.to_owned(),
                parts,
            }),
            false => Err("must hold `{source}`, which stands for the question".to_owned()),
        }
    }
}

fn read_placeholder(name: &str) -> Option<Part> {
    match name {
        "source" => Some(Part::Source),
        "source_language" => Some(Part::SourceLanguage),
        "target_language" => Some(Part::TargetLanguage),
        _ => None,
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.written
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_template_is_what_its_text_says() {
        assert_eq!(Template::PAPER.parse(), Ok(Template::paper()));
        assert!(Template::paper().is_paper());
        assert_eq!(
            Template::paper().render("Was?\nE: \"", Language::De, Language::En),
            "Was?\nE: \"\nTranslate the input from German to English:\n"
        );
    }

    #[test]
    fn placeholders_and_braces() {
        let template: Template = "{{\"{target_language}\": {source}{source}}}"
            .parse()
            .expect("a template");
        assert_eq!(
            template.render("{source}", Language::Zh, Language::Sw),
            "{\"Swahili\": {source}{source}}"
        );
        assert!(!template.is_paper());
        let refuse = |text: &str| text.parse::<Template>().expect_err("no template");
        assert_eq!(
            refuse("{source} in {lang}"),
            "unknown placeholder `{lang}`; there are `{source}`, `{source_language}`, `{target_language}`; for a brace \
             itself write `{{` or `}}`"
        );
        let single = |brace| {
            format!(
                "a single `{brace}` without its partner; for a brace itself write `{{{{` or `}}}}`"
            )
        };
        assert_eq!(
            (refuse("{source} {"), refuse("} {source}")),
            (single("{"), single("}"))
        );
        assert_eq!(
            refuse("Translate {{source}}"),
            "must hold `{source}`, which stands for the question"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_template_or_refused(text in "[{}a ]{0,8}\\{source\\}[{}a ]{0,8}") {
            if let Ok(template) = text.parse::<Template>() {
                proptest::prop_assert_eq!(template.to_string(), text);
                proptest::prop_assert!(template.render("€", Language::De, Language::En).contains('€'));
            }
        }
    }
}
