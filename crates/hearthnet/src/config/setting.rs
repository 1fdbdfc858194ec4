//! Values that the file sets, with their places.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Value that the file sets.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Path of the key, as in `llm.backends[0].url`.
    pub(crate) key: String,
    /// Text of the value in the file.
    pub(crate) value: String,
    pub(super) span: Range<usize>,
}

/// Returns all values of the document, in the order of the file.
pub(super) fn all(document: &DeTable<'_>, text: &str) -> Vec<Setting> {
    let mut all = Vec::new();
    collect(document, "", text, &mut all);
    all.sort_by_key(|setting| setting.span.start);
    all
}

fn collect(table: &DeTable<'_>, above: &str, text: &str, found: &mut Vec<Setting>) {
    for (key, value) in table {
        let key = match above {
            "" => key.get_ref().to_string(),
            above => format!("{above}.{}", key.get_ref()),
        };
        match value.get_ref() {
            DeValue::Table(below) => collect(below, &key, text, found),
            DeValue::Array(array) if key == "llm.backends" => {
                for (index, element) in array.iter().enumerate() {
                    if let DeValue::Table(below) = element.get_ref() {
                        collect(below, &format!("{key}[{index}]"), text, found);
                    }
                }
            }
            _ => {
                let span = value.span();
                let value = text.get(span.clone()).unwrap_or_default().to_owned();
                found.push(Setting { key, value, span });
            }
        }
    }
}
