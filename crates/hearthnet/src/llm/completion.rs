//! Whole completion, and the report of the server on it.

use serde_json::Value;

use super::failure::Chooser;
use super::message;
use crate::wire::error::{CallError, Code};

/// Maximum number of tokens that is accepted from a backend. No answer is longer.
// A counter that takes a wrong number once stays wrong until the node ends.
const MAX_TOKENS: u64 = 10_000_000;

/// Whole completion.
pub(crate) struct Completion {
    pub(crate) report: Report,
    pub(crate) content: String,
    /// Value that the backend reported, else `null`.
    pub(crate) model: Value,
    pub(crate) tokens_in: Value,
}

impl Completion {
    pub(super) fn parse(bytes: &[u8], chooser: Chooser) -> Result<Completion, CallError> {
        // serde_json refuses a byte order mark, which some servers send.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut answer: Value = serde_json::from_slice(bytes).map_err(|_| invalid())?;
        chooser.check(&answer)?;
        let message = &answer["choices"][0]["message"];
        if !message.is_object() {
            return Err(invalid());
        }
        let content = message::text(message).ok_or_else(invalid)?;
        Ok(Completion {
            report: Report::of(&answer),
            content,
            tokens_in: answer["usage"]["prompt_tokens"].clone(),
            model: answer.get_mut("model").map(Value::take).unwrap_or_default(),
        })
    }
}

/// Summary of a completion, or of a piece of one.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// Number of generated tokens, as the backend counted them.
    pub(crate) tokens: Option<u64>,
    /// Stop reason, in the words of the bus.
    pub(crate) stop_reason: Option<String>,
}

impl Report {
    pub(super) fn of(answer: &Value) -> Report {
        let reason = answer["choices"][0]["finish_reason"].as_str().map(|reason| match reason {
            "stop" => "end",
            "length" => "max_tokens",
            other => other,
        });
        Report {
            tokens: answer["usage"]["completion_tokens"].as_u64().filter(|tokens| *tokens <= MAX_TOKENS),
            // The caller gets this text. A server may send any.
            stop_reason: reason.map(|reason| reason.chars().take(64).collect()),
        }
    }
}

/// Returns the error for an answer of an unknown form.
pub(super) fn invalid() -> CallError {
    Code::INTERNAL_ERROR.because("the answer of the language model is invalid")
}
