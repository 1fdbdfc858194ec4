//! Body of a call, from the command line or from stdin.

use std::io::Read;

use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// Maximum size of a body. A node refuses larger ones.
const MAX_BYTES: usize = 1 << 20;

/// Example in the messages.
const EXAMPLE: &str = r#"use an object such as --body '{"text": "hello"}'"#;

/// Returns the body of the option `--body`, where `-` means all of `stdin`. An absent option is an empty input.
///
/// # Errors
///
/// The failure has the exit code 2.
pub(super) fn read(option: Option<&str>, stdin: impl Read) -> Result<Value, Failure> {
    let bytes = match option {
        None => return Ok(json!({ "input": {} })),
        Some("-") => read_all(stdin)?,
        Some(text) => text.as_bytes().to_vec(),
    };
    if bytes.len() > MAX_BYTES {
        return Err(Failure::usage(format!(
            "the body is larger than 1 MiB ({MAX_BYTES} bytes), the maximum of a call"
        )));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Failure::usage(format!("the body is empty; {EXAMPLE}")));
    }
    // The message of the parser names the problem, the line and the column. It repeats nothing of the body.
    let value = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::usage(format!("the body is not JSON: {error}; {EXAMPLE}")))?;
    arguments(value)
}

fn read_all(stdin: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a body that is too large from one that just fits.
    let read = stdin.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::error(format!("cannot read the body from stdin: {error}")))?;
    Ok(bytes)
}

/// Returns the object `{"params": …, "input": …}`. An object with neither key is the input alone.
fn arguments(value: Value) -> Result<Value, Failure> {
    let Value::Object(body) = value else {
        return Err(Failure::usage(format!("the body is {}, not an object; {EXAMPLE}", kind(&value))));
    };
    if !body.contains_key("params") && !body.contains_key("input") {
        return Ok(json!({ "input": body }));
    }
    for (key, part) in &body {
        match (key.as_str(), part) {
            ("params" | "input", Value::Object(_) | Value::Null) => {}
            ("params" | "input", part) => {
                return Err(Failure::usage(format!("`{key}` of the body is {}, not an object", kind(part))));
            }
            _ => {
                return Err(Failure::usage(format!(
                    "the body has {key:?} beside `params` and `input`; put it into one of them"
                )));
            }
        }
    }
    Ok(Value::Object(body))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Asks for a streamed answer, unless the body says itself whether it wants one.
pub(super) fn ask_for_stream(body: &mut Value) {
    let input = &mut body["input"];
    if input.is_null() {
        *input = Value::Object(Map::new());
    }
    if let Some(input) = input.as_object_mut() {
        input.entry("stream").or_insert(Value::Bool(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::USAGE;

    fn body(text: &str) -> Result<Value, Failure> {
        read(Some(text), std::io::empty())
    }

    #[test]
    fn a_bare_object_is_the_input() {
        for (text, wanted) in [
            (r#"{"text": "hi"}"#, json!({ "input": { "text": "hi" } })),
            ("{}", json!({ "input": {} })),
            (r#"{"input": {"a": 1}}"#, json!({ "input": { "a": 1 } })),
            (
                r#"{"params": {"model": "m"}, "input": null}"#,
                json!({ "params": { "model": "m" }, "input": null }),
            ),
        ] {
            assert_eq!(body(text).unwrap(), wanted);
            assert_eq!(read(Some("-"), text.as_bytes()).unwrap(), wanted, "from stdin");
        }
        assert_eq!(read(None, std::io::empty()).unwrap(), json!({ "input": {} }));
    }

    #[test]
    fn a_bad_body_is_bad_usage_with_its_place() {
        for (text, wanted) in [
            ("{\"text\":\n  hello}", "line 2 column 3"),
            ("{\"a\": 1,}", "line 1 column 9"),
            ("", "the body is empty"),
            (" \n", "the body is empty"),
            ("[1]", "the body is an array"),
            ("\"text\"", "the body is a string"),
            (r#"{"input": "text"}"#, "`input` of the body is a string"),
            (r#"{"input": {}, "text": 1}"#, "\"text\" beside"),
        ] {
            let failure = body(text).unwrap_err();
            assert_eq!(failure.code(), USAGE);
            assert!(failure.message().contains(wanted), "{text:?}: {failure}");
        }
        assert!(body(&"[".repeat(100_000)).unwrap_err().message().contains("recursion limit"));
        let secret = body("{\"password\": secret-word}").unwrap_err();
        assert!(!secret.message().contains("secret-word"), "{secret}");
    }

    #[test]
    fn a_body_has_at_most_1_mib() {
        let sized = |size: usize| format!("{{\"text\": \"{}\"}}", "x".repeat(size - 12));
        assert!(read(Some("-"), sized(MAX_BYTES).as_bytes()).is_ok());
        assert!(body(&sized(MAX_BYTES + 1)).unwrap_err().message().contains("1 MiB"));
        // The source never ends.
        let endless = read(Some("-"), std::io::repeat(b' ')).unwrap_err();
        assert!(endless.code() == USAGE && endless.message().contains("1 MiB"), "{endless}");
    }

    #[test]
    fn the_stream_is_asked_for_in_the_input() {
        let asked = |mut body: Value| {
            ask_for_stream(&mut body);
            body["input"]["stream"].clone()
        };
        assert_eq!(asked(json!({ "input": {} })), true);
        assert_eq!(asked(json!({ "params": {}, "input": null })), true);
        assert_eq!(asked(json!({ "input": { "stream": false } })), false);
    }
}
