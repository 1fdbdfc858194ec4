//! Lines in a contender's folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Event;

/// Returns the files with lines. A contender's other files are hidden or have another name.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.filter(|path| is_visible(path) && path.extension().is_some_and(|extension| extension == "log"))
}

fn is_visible(path: &Path) -> bool {
    path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
}

fn contents(folder: &Path) -> Vec<u8> {
    files(folder).flat_map(|path| fs::read(path).expect("a log file can be read")).collect()
}

/// Counts the events in the folder.
pub(super) fn count(folder: &Path) -> usize {
    contents(folder).split(|&byte| byte == b'\n').filter(|line| holds_routed(line)).count()
}

/// Tells whether a line is one of the events, and not a note about dropped ones.
fn holds_routed(line: &[u8]) -> bool {
    line.windows(8).any(|window| window == b"\"routed\"")
}

/// Returns the size of all files in bytes.
pub(super) fn bytes(folder: &Path) -> u64 {
    files(folder).filter_map(|path| Some(path.metadata().ok()?.len())).sum()
}

/// Tells whether the folder holds the event once, as JSON with its types.
pub(super) fn check(folder: &Path, event: &Event) -> Result<(), String> {
    let text = String::from_utf8(contents(folder)).map_err(|error| error.to_string())?;
    let mut lines = text.lines().filter(|line| holds_routed(line.as_bytes()));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(format!("there is not exactly one line: {text:?}"));
    };
    let object: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
    let mut found = Vec::new();
    collect(&object, &mut found);
    let expected = [
        ("capability", Value::from(event.capability)),
        ("to", Value::from(event.to)),
        ("ms", Value::from(event.ms)),
        ("ok", Value::from(event.ok)),
    ];
    match expected.iter().find(|(key, value)| !found.contains(&(*key, value))) {
        Some((key, _)) => Err(format!("the field {key} is missing: {line}")),
        None => Ok(()),
    }
}

/// Returns the fields of an object and of its objects, because some contenders nest the event's fields.
fn collect<'a>(object: &'a Map<String, Value>, found: &mut Vec<(&'a str, &'a Value)>) {
    for (key, value) in object {
        found.push((key, value));
        if let Value::Object(inner) = value {
            collect(inner, found);
        }
    }
}
