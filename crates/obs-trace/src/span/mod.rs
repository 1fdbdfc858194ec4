//! Spans: the steps of a trace and their durations.

mod builder;
mod guard;
mod instrumented;
mod manual;
mod outgoing;
mod prepared;
mod result;

pub use self::builder::{SpanBuilder, in_span, span};
pub use self::guard::Span;
pub use self::instrumented::{InSpan, Instrumented};
pub use self::manual::{ManualSpan, SpanMark};
pub use self::outgoing::{Outgoing, outgoing};
pub use self::result::InstrumentedResult;
