//! IDs of traces and spans.

mod pattern;
mod span_id;
mod trace_id;

pub use pattern::{IdPattern, ParseIdPatternError};
pub use span_id::SpanId;
pub use trace_id::{ParseIdError, TraceId};
