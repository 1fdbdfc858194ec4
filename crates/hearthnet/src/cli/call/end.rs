//! End of a call that did not succeed.

use std::io;

use serde_json::Value;

use crate::cli::output::not_written;
use crate::cli::visible::visible;
use crate::failure::Failure;

/// Maximum length of a message of the node that is shown.
const MAX_MESSAGE_CHARS: usize = 1000;

/// Reason for which a call has no answer on stdout.
#[derive(Debug)]
pub(super) enum End {
    /// The node or a peer refused the call, or failed at it.
    Refused { code: String, message: String },
    /// The call or its answer failed on the way.
    Failure(Failure),
    /// The answer is none of a node.
    AnotherServer,
    /// The reader of stdout has gone away. It has seen enough.
    ReaderGone,
}

impl End {
    /// Reads the body of an error, which is not trusted.
    pub(super) fn refused(body: &Value) -> End {
        let code = body["error"].as_str().filter(|code| is_code(code)).unwrap_or("an invalid error code");
        let message = body["message"].as_str().unwrap_or("the node gave no reason");
        let message = visible(message).chars().take(MAX_MESSAGE_CHARS).collect();
        End::Refused { code: code.to_owned(), message }
    }

    pub(super) fn from_print(error: io::Error) -> End {
        match error.kind() {
            io::ErrorKind::BrokenPipe => End::ReaderGone,
            io::ErrorKind::FileTooLarge => End::Failure(Failure::error(error.to_string())),
            _ => End::Failure(not_written(&error)),
        }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Failure(failure)
    }
}

/// Returns whether `code` is well-formed. Later versions have codes that this one does not know.
fn is_code(code: &str) -> bool {
    (1..=40).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_is_bounded_and_harmless() {
        let refused = |body: Value| match End::refused(&body) {
            End::Refused { code, message } => (code, message),
            other => panic!("{other:?}"),
        };
        let later = refused(json!({ "error": "token_expired", "message": "ask again" }));
        assert_eq!(later, ("token_expired".to_owned(), "ask again".to_owned()));
        let (code, message) = refused(json!({ "error": "\u{1b}[2J", "message": "\u{1b}x".repeat(9999) }));
        assert_eq!(code, "an invalid error code");
        assert!(message.chars().count() == MAX_MESSAGE_CHARS && !message.contains('\u{1b}'));
    }
}
