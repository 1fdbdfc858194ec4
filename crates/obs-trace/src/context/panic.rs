//! Panics of tasks: a log line with the trace's ID, and the status of the span.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::frame::{self, Position};
use crate::error_text;

pin_project! {
    /// Future of a task, to be polled where the frame of the task is in force.
    pub(super) struct NotingPanic<F> {
        #[pin]
        pub(super) future: F,
    }
}

impl<F: Future> Future for NotingPanic<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        noting_panic(|| future.poll(cx))
    }
}

/// Runs `f`, and notes a panic before it goes on.
pub(super) fn noting_panic<R>(f: impl FnOnce() -> R) -> R {
    // The panic goes on, so nothing sees the state that it left.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        // A panic of the logger would hide the first one.
        let _ = catch_unwind(AssertUnwindSafe(|| note(&*panic)));
        resume_unwind(panic)
    })
}

#[cold]
fn note(panic: &(dyn Any + Send)) {
    let Some(Position { trace, parent }) = frame::position() else { return };
    let span = parent.map(|span| {
        trace.0.fail_span(span, "panic");
        trace.0.span_name(span)
    });
    let text = error_text::shown(&message(panic));
    log::error!(
        target: "hearthnet.trace",
        capability = trace.capability(), span = span.unwrap_or("(root)"), panic = text.as_str();
        "a task panicked"
    );
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}
