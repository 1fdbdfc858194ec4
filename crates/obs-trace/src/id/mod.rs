//! IDs of traces and spans.

mod span_id;
mod trace_id;

pub use span_id::SpanId;
pub use trace_id::{ParseIdError, TraceId};
