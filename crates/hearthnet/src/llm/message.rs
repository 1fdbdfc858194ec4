//! Text of a message, or of a part of a streamed one.

use serde_json::Value;

/// Returns the text for the reader: the content, else the refusal, else an empty string, as in a message that only
/// calls tools or reasons. Returns `None` if the content has an unknown form.
pub(super) fn text(message: &Value) -> Option<String> {
    let content = match &message["content"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => return None,
    };
    match message["refusal"].as_str() {
        Some(refusal) if content.is_empty() => Some(refusal.to_owned()),
        _ => Some(content),
    }
}

fn part(part: &Value) -> Option<&str> {
    part.as_str().or_else(|| part["text"].as_str()).or_else(|| part["refusal"].as_str())
}
