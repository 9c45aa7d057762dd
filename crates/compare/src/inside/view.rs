//! What is compared with what: the base model and one adapter, for the prompts of one task.
//!
//! Never here: a measure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::model_records::{InsideRecords, ModelRecords};
use crate::{adapter_name::AdapterName, error::CompareError, folder::BASE};

/// One model before and after, or one of the two alone.
pub struct ModelView<'a> {
    /// The task whose prompts were asked.
    pub task: &'a str,
    /// `Base model to zh/de=>en`
    pub title: String,
    /// For names of files and anchors, the task in it.
    pub slug: String,
    /// One or two, before first.
    pub states: Vec<ViewState<'a>>,
    /// L.
    pub layers: usize,
    /// `analyse.layers` of the recipe: those whose maps and tables are shown; none: in
    /// proportion to the paper's.
    pub shown: Vec<usize>,
}

/// The model as it was looked at.
#[derive(Clone, Copy)]
pub struct ViewState<'a> {
    /// `before`, `after`; `base` or `tuned` where it stands alone.
    pub name: &'static str,
    /// What was found in it.
    pub records: &'a ModelRecords,
}

impl<'a> ModelView<'a> {
    /// Before and after, where there are both.
    pub fn both(&self) -> Option<[&'a ModelRecords; 2]> {
        match self.states.as_slice() {
            [before, after] => Some([before.records, after.records]),
            _ => None,
        }
    }

    /// `before 1, after 2`; where one stands alone, its words alone.
    pub fn by_state(&self, words: impl Fn(&ViewState<'a>) -> Option<String>) -> Option<String> {
        let said: Vec<String> = self
            .states
            .iter()
            .filter_map(|state| {
                let words = words(state)?;
                Some(if self.states.len() == 1 {
                    words
                } else {
                    format!("{} {words}", state.name)
                })
            })
            .collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// The recipe's layers; without, the paper's 20, 25, 30 and 32 of 32, in proportion; each
    /// once.
    pub fn representative(&self) -> Vec<usize> {
        if !self.shown.is_empty() {
            return self.shown.clone();
        }
        let mut layers: Vec<usize> = [20.0, 25.0, 30.0, 32.0]
            .map(|of_32| self.scaled(of_32))
            .into();
        layers.dedup();
        layers
    }

    /// The recipe's layers; without, the two of the paper's tables 8 and 9.
    pub fn middle(&self) -> Vec<usize> {
        if !self.shown.is_empty() {
            return self.shown.clone();
        }
        let mut layers: Vec<usize> = [20.0, 25.0].map(|of_32| self.scaled(of_32)).into();
        layers.dedup();
        layers
    }

    fn scaled(&self, of_32: f64) -> usize {
        (of_32 / 32.0 * self.layers as f64).round() as usize
    }
}

/// Every task's looks, adapters in the recipe's order; what is missing goes into `gaps`.
pub fn list_views<'a>(
    inside: &'a InsideRecords,
    order: &[String],
    gaps: &mut Vec<String>,
) -> Result<Vec<ModelView<'a>>, CompareError> {
    let mut views = Vec::new();
    for (task, models) in inside {
        let mut adapters: Vec<(AdapterName, &String, &ModelRecords)> = models
            .iter()
            .filter(|(model, _)| *model != BASE)
            .map(|(model, records)| (AdapterName::parse(model), model, records))
            .collect();
        adapters.sort_by_key(|(name, model, _)| (place(name, order), (*model).clone()));
        let base = models.get(BASE);
        for (name, model, records) in &adapters {
            if let Some(base) = base {
                check_pair(task, model, base, records, gaps)?;
            } else {
                gaps.push(format!(
                    "Inside `{model}` there are records for {task}, but none of the base model."
                ));
            }
            views.push(of_adapter(task, name, model, base, records));
        }
        if let (Some(records), true) = (base, adapters.is_empty()) {
            let (title, slug) = ("Base model".to_owned(), format!("{task}-base"));
            let states = vec![ViewState {
                name: "base",
                records,
            }];
            views.push(ModelView {
                task,
                title,
                slug,
                states,
                layers: records.layers,
                shown: Vec::new(),
            });
        }
    }
    Ok(views)
}

/// The layers that the recipe wants to see, of 0 to L; what there is not is told.
pub fn select_layers(manifest: &Value, layers: usize, gaps: &mut Vec<String>) -> Vec<usize> {
    let asked = manifest
        .pointer("/recipe/analyse/layers")
        .and_then(Value::as_array);
    let asked: Vec<usize> = asked
        .into_iter()
        .flatten()
        .filter_map(|layer| Some(layer.as_u64()? as usize))
        .collect();
    let (mut shown, missing): (Vec<usize>, Vec<usize>) =
        asked.into_iter().partition(|&layer| layer <= layers);
    if !missing.is_empty() {
        gaps.push(format!(
            "`analyse.layers` asks for {missing:?}, but there are layers 0 to {layers}."
        ));
    }
    shown.sort_unstable();
    shown
}

fn place(name: &AdapterName, order: &[String]) -> usize {
    let slug = name.setting.as_ref().map(|setting| setting.slug());
    slug.and_then(|slug| order.iter().position(|other| *other == slug))
        .unwrap_or(usize::MAX)
}

fn of_adapter<'a>(
    task: &'a str,
    name: &AdapterName,
    model: &str,
    base: Option<&'a ModelRecords>,
    records: &'a ModelRecords,
) -> ModelView<'a> {
    let seed = model
        .rsplit_once(".seed")
        .map_or_else(String::new, |(_, seed)| format!(", seed {seed}"));
    let tuned = format!("{}{seed}", name.title(task));
    let slug = format!("{task}-{model}").replace(['.', '/', ' '], "-");
    let layers = records.layers;
    match base {
        Some(base) => {
            let states = vec![
                ViewState {
                    name: "before",
                    records: base,
                },
                ViewState {
                    name: "after",
                    records,
                },
            ];
            let (title, layers) = (format!("Base model to {tuned}"), base.layers.max(layers));
            ModelView {
                task,
                title,
                slug,
                states,
                layers,
                shown: Vec::new(),
            }
        }
        None => {
            let states = vec![ViewState {
                name: "tuned",
                records,
            }];
            ModelView {
                task,
                title: tuned,
                slug,
                states,
                layers,
                shown: Vec::new(),
            }
        }
    }
}

/// What must be equal before two models are compared, and what one has and the other lacks.
fn check_pair(
    task: &str,
    model: &str,
    base: &ModelRecords,
    tuned: &ModelRecords,
    gaps: &mut Vec<String>,
) -> Result<(), CompareError> {
    let refuse = |difference: String| {
        let (a, b) = (base.source.clone(), tuned.source.clone());
        Err(CompareError::NotComparable { a, b, difference })
    };
    if base.layers != tuned.layers && base.layers.min(tuned.layers) > 0 {
        return refuse(format!(
            "one has {} layers and the other {}",
            base.layers, tuned.layers
        ));
    }
    for (pooling, before) in &base.maps {
        if tuned
            .maps
            .get(pooling)
            .is_some_and(|after| after.items != before.items)
        {
            return refuse(format!(
                "components with pooling {pooling} are of other items"
            ));
        }
    }
    let (of_base, of_tuned) = (base.inventory(), tuned.inventory());
    let mut tell = |missing: Vec<&String>, who: &str, other: &str| {
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
            gaps.push(format!(
                "Inside {who} there is, for {task}, unlike {other}, no {}.",
                missing.join(", no ")
            ));
        }
    };
    tell(
        of_base.difference(&of_tuned).collect(),
        &format!("`{model}`"),
        "the base",
    );
    tell(
        of_tuned.difference(&of_base).collect(),
        "the base",
        &format!("`{model}`"),
    );
    tell_lens(task, model, base, tuned, gaps);
    tell_changes(task, model, base, tuned, gaps);
    Ok(())
}

/// The lens of both models should have the same items.
fn tell_lens(
    task: &str,
    model: &str,
    base: &ModelRecords,
    tuned: &ModelRecords,
    gaps: &mut Vec<String>,
) {
    for (language, before) in &base.lens {
        let after = tuned.lens.get(language);
        for (kind, before) in before {
            let Some(after) = after.and_then(|after| after.get(kind)) else {
                continue;
            };
            if !before
                .items
                .iter()
                .map(|item| item.item)
                .eq(after.items.iter().map(|item| item.item))
            {
                gaps.push(format!(
                    "The lens of the base and of `{model}` has other items in {language} ({task}): changes are of those that \
                     both have."
                ));
            }
        }
    }
}

/// A change states both levels; the levels stand in two more files.
fn tell_changes(
    task: &str,
    model: &str,
    base: &ModelRecords,
    tuned: &ModelRecords,
    gaps: &mut Vec<String>,
) {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + a.abs());
    for (pooling, changes) in &tuned.changes {
        for measure in changes.measures() {
            let contradicts = changes.by_layer(measure).find_map(|(layer, pairs)| {
                let level = |records: &ModelRecords, two| {
                    records
                        .pairs
                        .get(pooling)?
                        .at(measure, layer)?
                        .get(two)
                        .map(|record| record.value)
                };
                let odd = pairs.iter().find(|(two, change)| {
                    level(base, two).is_some_and(|value| !near(value, change.before))
                        || level(tuned, two).is_some_and(|value| !near(value, change.after))
                });
                odd.map(|((a, b), _)| format!("{a} and {b} at layer {layer}"))
            });
            if let Some(place) = contradicts {
                gaps.push(format!(
                    "The change of {measure} (pooling {pooling}, {task}, `{model}`) is not from the levels that are shown, first \
                     for {place}: run the analyses again."
                ));
            }
        }
    }
}

/// Records of both states that have the same key, before and after.
pub fn match_records<'r, K: Ord, R>(
    before: &'r [R],
    after: &'r [R],
    key: impl Fn(&R) -> K,
) -> Vec<(&'r R, &'r R)> {
    let by_key: BTreeMap<K, &R> = before.iter().map(|record| (key(record), record)).collect();
    after
        .iter()
        .filter_map(|record| Some((*by_key.get(&key(record))?, record)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_those_of_the_paper_in_proportion() {
        let showing = |layers, shown| ModelView {
            task: "t",
            title: String::new(),
            slug: String::new(),
            states: Vec::new(),
            layers,
            shown,
        };
        let of = |layers| showing(layers, Vec::new());
        let asked = showing(24, vec![12, 18]);
        assert_eq!(
            (asked.representative(), asked.middle()),
            (vec![12, 18], vec![12, 18])
        );
        assert_eq!(
            (of(32).representative(), of(32).middle()),
            (vec![20, 25, 30, 32], vec![20, 25])
        );
        assert_eq!(
            (of(30).representative(), of(30).middle()),
            (vec![19, 23, 28, 30], vec![19, 23])
        );
        assert_eq!(of(2).representative(), [1, 2]);
        assert_eq!(of(0).representative(), [0]);
    }
}
