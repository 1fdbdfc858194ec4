//! Errors that a server reports in an answer whose status says success.

use obs_facade::{Logger, warn};
use serde_json::Value;

use crate::wire::error::{CallError, Code};

static LOG: Logger = Logger::new("hearthnet::llm");

const MAX_MESSAGE_CHARS: usize = 256;

/// Fails if `answer` is an error. The server's words go to the log of this node and not to the caller: they may name
/// hosts, paths or keys.
pub(super) fn check(answer: &Value) -> Result<(), CallError> {
    let error = match &answer["error"] {
        // Some servers put the fields of the error beside the type.
        Value::Null if answer["object"] == "error" => answer,
        Value::Null => return Ok(()),
        error => error,
    };
    let message = error["message"].as_str().or_else(|| error.as_str()).unwrap_or_default();
    let code = code_of(error);
    warn!(logger: LOG, code = code.as_str(), message = harmless(message).as_str(); "the language model failed");
    Err(code.because("the language model failed"))
}

/// The bus's code for an error; servers write a status or a word, as `code`, `type` or `status`.
fn code_of(error: &Value) -> Code {
    let found = ["code", "type", "status"].iter().find_map(|field| match &error[*field] {
        Value::Number(status) => status.as_u64().and_then(code_of_status),
        Value::String(word) => code_of_word(word),
        _ => None,
    });
    found.unwrap_or(Code::INTERNAL_ERROR)
}

fn code_of_status(status: u64) -> Option<Code> {
    match status {
        400 | 413 | 422 => Some(Code::BAD_REQUEST),
        408 | 504 => Some(Code::TIMEOUT),
        429 | 503 | 529 => Some(Code::CAPACITY_EXCEEDED),
        _ => None,
    }
}

fn code_of_word(word: &str) -> Option<Code> {
    match word.to_ascii_lowercase().as_str() {
        "invalid_request_error" | "context_length_exceeded" | "exceed_context_size_error" => {
            Some(Code::BAD_REQUEST)
        }
        "timeout" | "timeout_error" => Some(Code::TIMEOUT),
        "rate_limit_exceeded" | "rate_limit_error" | "overloaded_error" | "server_overloaded" => {
            Some(Code::CAPACITY_EXCEEDED)
        }
        digits => digits.parse().ok().and_then(code_of_status),
    }
}

/// The start of `message` without characters that move a terminal's cursor.
fn harmless(message: &str) -> String {
    message.chars().take(MAX_MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_has_the_code_that_fits() {
        for (error, code) in [
            (json!({ "code": 429 }), Code::CAPACITY_EXCEEDED),
            (json!({ "code": "504" }), Code::TIMEOUT),
            (json!({ "code": null, "type": "Invalid_Request_Error" }), Code::BAD_REQUEST),
            (json!({ "code": "strange", "type": "overloaded_error" }), Code::CAPACITY_EXCEEDED),
            (json!({ "code": -1 }), Code::INTERNAL_ERROR),
            (json!("out of memory"), Code::INTERNAL_ERROR),
            (json!([]), Code::INTERNAL_ERROR),
        ] {
            assert_eq!(check(&json!({ "error": error })).unwrap_err().code, code, "{error}");
        }
        assert!(check(&json!({ "error": null, "choices": [] })).is_ok());
    }

    #[test]
    fn a_message_for_the_log_is_bounded_and_harmless() {
        assert_eq!(harmless("a\u{1b}[2Jb\n"), "a [2Jb ");
        assert_eq!(harmless(&"\u{e4}".repeat(1 << 20)).chars().count(), MAX_MESSAGE_CHARS);
    }
}
