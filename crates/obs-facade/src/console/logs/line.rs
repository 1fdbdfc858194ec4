//! A line as the page gets it.

use obs_console::api::LogLine;
use serde_json::Value;

/// Parses a line and hides what looks like a secret in its texts. `None` if it is no JSON object.
///
/// The log hides fields by their names when it writes. This is for messages and causes that hold one.
pub(super) fn shown(line: &[u8]) -> Option<LogLine> {
    let mut line = parse(line)?;
    line.iter_mut().for_each(|(_, value)| hide(value));
    Some(line)
}

pub(super) fn parse(line: &[u8]) -> Option<LogLine> {
    serde_json::from_slice(line).ok()
}

fn hide(value: &mut Value) {
    // The parser bounds the depth.
    match value {
        Value::String(text) => {
            let hidden = obs_doctor::redact(text);
            if hidden != *text {
                *text = hidden;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::Object(values) => values.values_mut().for_each(hide),
        _ => {}
    }
}
