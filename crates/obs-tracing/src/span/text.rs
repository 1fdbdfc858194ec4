//! Text of values that show themselves.
//!
//! Their code is a user's. It may panic, never end its text, or make spans itself.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use obs_trace::Value;

/// Bytes after which a value is told to stop. More than the longest field of a trace, 4 KiB, so that obs-trace still sees
/// that the text was cut.
const MAX_BYTES: usize = 4_096 + 64;

/// Maximum number of causes of an error, because an error may be its own cause.
const MAX_CAUSES: usize = 32;

/// Placeholder of a value whose code panicked, as in a line of the log.
const PANICKED: &str = "[panicked while formatting]";

thread_local! {
    /// Buffer of the thread. It is taken while in use, so a value that makes spans itself gets another one.
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
}

pub(super) fn of_debug(value: &dyn fmt::Debug) -> Value {
    bounded(|text| write!(text, "{value:?}"))
}

/// Returns the text of an error with its causes: `top: cause: cause`.
pub(super) fn of_error(error: &(dyn Error + 'static)) -> Value {
    bounded(|text| {
        write!(text, "{error}")?;
        let mut cause = error.source();
        for _ in 0..MAX_CAUSES {
            let Some(error) = cause else { break };
            write!(text, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    })
}

fn bounded(show: impl FnOnce(&mut Text) -> fmt::Result) -> Value {
    let mut text = Text(BUFFER.try_with(Cell::take).unwrap_or_default());
    text.0.clear();
    // An error of a value ends its text. A value that panics has none.
    let shown = catch_unwind(AssertUnwindSafe(|| _ = show(&mut text)));
    let value = match shown {
        Ok(()) => Value::from(&text.0),
        Err(payload) => {
            discard(payload);
            Value::from(PANICKED)
        }
    };
    _ = BUFFER.try_with(|buffer| buffer.set(text.0));
    value
}

/// Drops the payload of a panic. It is a user's value too, so its `drop` may panic again.
#[cold]
fn discard(payload: Box<dyn std::any::Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A third panic would be no better, so the second payload is leaked.
        mem::forget(again);
    }
}

/// Text of at most [`MAX_BYTES`].
struct Text(String);

impl Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MAX_BYTES - self.0.len();
        if more.len() <= room {
            self.0.push_str(more);
            return Ok(());
        }
        self.0.push_str(&more[..more.floor_char_boundary(room)]);
        // Ends the formatting, so that an endless value costs no more than a long one.
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Endless;

    impl fmt::Debug for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("ä–x")?;
            }
        }
    }

    struct Panics;

    impl fmt::Debug for Panics {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half a text")?;
            std::panic::panic_any(PanicsAgain);
        }
    }

    struct PanicsAgain;

    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    #[derive(Debug)]
    struct OwnCause;

    impl fmt::Display for OwnCause {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("it")
        }
    }

    impl Error for OwnCause {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    #[test]
    fn any_value_becomes_a_text_of_bounded_length() {
        let endless = of_debug(&Endless);
        assert!((4_097..=MAX_BYTES).contains(&endless.as_str().unwrap().len()));
        assert_eq!(of_debug(&Panics).as_str(), Some(PANICKED));
        assert_eq!(of_debug(&1).as_str(), Some("1"), "nothing of the text before is left");
        assert_eq!(of_error(&OwnCause).as_str().unwrap().matches("it").count(), MAX_CAUSES + 1);
    }

    #[test]
    fn a_value_that_shows_another_one_meanwhile_keeps_its_text() {
        struct Nested;
        impl fmt::Debug for Nested {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("outer ")?;
                write!(f, "{}", of_debug(&"inner"))
            }
        }
        assert_eq!(of_debug(&Nested).as_str(), Some("outer \"inner\""));
    }
}
