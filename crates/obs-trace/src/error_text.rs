//! Texts of errors, which are from other libraries and may name secrets.

use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use smol_str::SmolStr;

use crate::text;

/// Maximum length of an error's text, as of a field by default.
const MAX_BYTES: usize = 256;

static REDACTION: OnceLock<fn(&str) -> String> = OnceLock::new();

/// Sets the function that takes secrets out of the texts of errors and panics, before they are kept in the field `cause` or
/// logged. The first call counts. Without one the texts are kept as they are.
///
/// ```
/// obs_trace::set_error_redaction(|text| text.replace("hunter2", "[hidden]"));
/// # let trace = obs_trace::new_trace("llm.chat");
/// # let task = trace.clone().scope(obs_trace::span("login").wrap_result(async { Err::<(), _>("no user hunter2") }));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(task).unwrap_err();
/// # assert_eq!(trace.spans()[0].field("cause").unwrap().as_str(), Some("no user [hidden]"));
/// ```
pub fn set_error_redaction(redaction: fn(&str) -> String) {
    _ = REDACTION.set(redaction);
}

/// Returns the displayed text without secrets, and bounded.
pub(crate) fn shown(error: &dyn fmt::Display) -> SmolStr {
    let mut head = Head(String::new());
    let redacted = || {
        // An error means that there is enough text, or that the type has no more.
        _ = write!(head, "{error}");
        REDACTION.get().map_or_else(|| head.0.clone(), |redaction| redaction(&head.0))
    };
    // Code of others must not make a failed call a panic.
    match catch_unwind(AssertUnwindSafe(redacted)) {
        Ok(text) => text::bounded(&text, MAX_BYTES),
        Err(_) => SmolStr::new_static("(text that panics)"),
    }
}

/// Beginning of a text, so that a long one costs little. A secret that is cut is still found by what is before it.
struct Head(String);

impl Write for Head {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        const HEAD_BYTES: usize = 4 * MAX_BYTES;
        let room = HEAD_BYTES - self.0.len();
        self.0.push_str(&more[..more.floor_char_boundary(room)]);
        if more.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics;

    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("as asked")
        }
    }

    #[test]
    fn a_text_is_bounded_and_a_panic_in_it_is_caught() {
        assert_eq!(shown(&"gone"), "gone");
        assert!(shown(&"ü".repeat(1 << 20)).len() <= MAX_BYTES);
        assert_eq!(shown(&Panics), "(text that panics)");
    }
}
