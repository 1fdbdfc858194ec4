//! Values of the file: reads all of them, and finds every one that is not allowed.

use std::collections::BTreeMap;

use serde_path_to_error::{Path, Segment};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::Config;
use super::federated::{self, Below};
use super::mistake::Mistake;
use super::setting::Setting;

/// Maximum number of mistakes that are looked for. Each costs one reading of the document.
const MAX_MISTAKES: usize = 20;

/// Reads the document. After a mistake, its value is removed and the rest is read again.
pub(super) fn read(document: &Spanned<DeTable<'_>>, text: &str) -> (Config, Vec<Mistake>) {
    let mut document = document.clone();
    let mut mistakes = Vec::new();
    let mut removed = Removed::default();
    while mistakes.len() < MAX_MISTAKES {
        match read_once(document.clone()) {
            Ok(config) => return (config, mistakes),
            Err(error) => {
                let path = error.path().clone();
                let offset = error.inner().span().map_or(0, |span| span.start);
                mistakes.push(mistake((text, offset), removed.original(&path), error.inner().message()));
                if !removed.remove(document.get_mut(), &path) {
                    break;
                }
            }
        }
    }
    (Config::default(), mistakes)
}

fn read_once(
    mut document: Spanned<DeTable<'_>>,
) -> Result<Config, serde_path_to_error::Error<toml::de::Error>> {
    let federated = federated::part(document.get_mut());
    // serde itself names no path, such as `llm.backends[0].url`.
    let config: Config = serde_path_to_error::deserialize(toml::Deserializer::from(document))?;
    let Below { observability } = serde_path_to_error::deserialize(toml::Deserializer::from(federated))?;
    Ok(Config { federated: observability.federated, ..config })
}

/// Returns the mistake with serde's message, parted into problem and advice.
fn mistake(place: (&str, usize), field: String, message: &str) -> Mistake {
    let (problem, advice) = match (message.split_once(", expected "), message.split_once("; ")) {
        // The other separator may be in a value that the problem repeats.
        (Some((problem, "a boolean")), _) => (problem, "expected a boolean: true or false".to_owned()),
        (Some((problem, expected)), _) => (problem, format!("expected {expected}")),
        (None, Some((problem, advice))) => (problem, advice.to_owned()),
        (None, None) => match message.strip_prefix("missing field ") {
            Some(name) => (message, format!("add a line for {name}")),
            None => (message, String::new()),
        },
    };
    Mistake::at(place, field, problem, advice)
}

/// Elements that were removed from arrays, so that the indices of the others are still those of the file.
#[derive(Default)]
struct Removed(BTreeMap<String, Vec<usize>>);

impl Removed {
    /// Returns the path as the file has it.
    fn original(&self, path: &Path) -> String {
        let mut text = String::new();
        for segment in path {
            match segment {
                Segment::Seq { index } => text += &format!("[{}]", self.original_index(&text, *index)),
                Segment::Map { key } if text.is_empty() => text.push_str(key),
                Segment::Map { key } => text += &format!(".{key}"),
                _ => {}
            }
        }
        text
    }

    fn original_index(&self, array: &str, index: usize) -> usize {
        let mut removed = self.0.get(array).cloned().unwrap_or_default();
        removed.sort_unstable();
        removed.iter().fold(index, |index, gone| if *gone <= index { index + 1 } else { index })
    }

    /// Removes the value at `path`, or the nearest element of an array around it: the rest of an element may not be readable.
    fn remove(&mut self, document: &mut DeTable<'_>, path: &Path) -> bool {
        let segments: Vec<_> = path.iter().collect();
        let mut table = document;
        let mut name = String::new();
        for (at, segment) in segments.iter().enumerate() {
            let Segment::Map { key } = segment else { return false };
            name += &if at == 0 { key.clone() } else { format!(".{key}") };
            match segments.get(at + 1) {
                Some(Segment::Map { .. }) => match table.get_mut(key.as_str()).map(Spanned::get_mut) {
                    Some(DeValue::Table(below)) => table = below,
                    _ => return false,
                },
                Some(Segment::Seq { index }) => match table.get_mut(key.as_str()).map(Spanned::get_mut) {
                    Some(DeValue::Array(array)) if *index < array.len() => {
                        let gone = self.original_index(&name, *index);
                        self.0.entry(name).or_default().push(gone);
                        remove_element(array, *index);
                        return true;
                    }
                    _ => return false,
                },
                _ => return table.remove(key.as_str()).is_some(),
            }
        }
        false
    }
}

fn remove_element(array: &mut DeArray<'_>, index: usize) {
    let elements = std::mem::replace(array, DeArray::new()).into_iter().enumerate();
    *array = elements.filter(|(at, _)| *at != index).map(|(_, element)| element).collect();
}

/// Returns whether the configuration that was read from the document would be another one without the value.
pub(super) fn is_effective(setting: &Setting, document: &Spanned<DeTable<'_>>, config: &Config) -> bool {
    let mut without = document.clone();
    let path: Vec<_> = setting.key.split('.').collect();
    // An entry of a list is there or not there. All that it says counts.
    if setting.key.contains('[') || !remove_key(without.get_mut(), &path) {
        return true;
    }
    // The types have no equality of their own, and print all their fields.
    read_once(without).map_or(true, |other| format!("{other:?}") != format!("{config:?}"))
}

fn remove_key(table: &mut DeTable<'_>, path: &[&str]) -> bool {
    match path {
        [] => false,
        [key] => table.remove(*key).is_some(),
        [key, below @ ..] => match table.get_mut(*key).map(Spanned::get_mut) {
            Some(DeValue::Table(table)) => remove_key(table, below),
            _ => false,
        },
    }
}
