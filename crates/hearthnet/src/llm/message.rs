//! The text in a message, or in a part of a streamed one.

use serde_json::Value;

/// The text that is meant for the reader: the content, else the refusal, else nothing, as in a message that only calls
/// tools or reasons. `None` if the content is of no known form.
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
