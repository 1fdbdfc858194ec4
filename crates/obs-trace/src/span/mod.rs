//! Spans: the steps of a trace and their durations.

mod builder;
mod guard;
mod instrumented;
mod outgoing;
mod prepared;

pub use self::builder::{SpanBuilder, in_span, span};
pub use self::guard::Span;
pub use self::instrumented::{InSpan, Instrumented};
pub use self::outgoing::{Outgoing, outgoing};
