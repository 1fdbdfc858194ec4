//! Waiting of a reader for a writer.

use std::time::Duration;

use crate::cell::sync::{self, hint};

/// Pauses of a reader that waits for a writer in the middle of a few instructions.
///
/// The wait takes nanoseconds, so the first pauses spin. It takes longer only if the writer lost its processor there, so
/// later pauses give up the processor, and then sleep.
#[derive(Debug, Default)]
pub(super) struct Patience(u32);

impl Patience {
    pub(super) fn pause(&mut self) {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            ..100 => hint::spin_loop(),
            100..200 => sync::yield_now(),
            // Long enough to leave the processor to the writer, short against the time of a scrape.
            _ => sync::sleep(Duration::from_micros(50)),
        }
    }
}
