//! IDs of traces.

mod trace_id;

pub use trace_id::{ParseIdError, TraceId};
