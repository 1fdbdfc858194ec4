//! Trace records: written while a trace runs, fixed when it ends.
//!
//! A trace is one allocation from its beginning until the store forgets it, and the memory is used again for another one.
//! `live.rs` writes it, `finished.rs` reads it.

mod done_fields;
mod done_line;
mod fields;
mod finished;
mod interner;
mod into_value;
mod live;
mod mark;
mod marks;
mod name_numbers;
mod packed;
mod root_span;
mod sink;
mod slots;
mod span_ids;
mod span_record;
mod status;
mod trace_record;
mod value;
mod with_span_ids;

pub(crate) use self::done_line::ending;
pub use self::into_value::IntoValue;
pub(crate) use self::live::{CANCELLED, CAUSE_FIELD, ERROR_FIELD};
pub(crate) use self::marks::PeerNumber;
pub use self::name_numbers::NameNumbers;
#[cfg(feature = "otlp")]
pub(crate) use self::root_span::RootSpan;
pub(crate) use self::sink::{Sink, set_global};
pub(crate) use self::slots::{SPAN_LIMIT, SpanIndex};
pub use self::span_record::SpanRecord;
pub(crate) use self::status::Outcome;
pub use self::status::{ErrorCode, Status};
pub use self::trace_record::TraceRecord;
pub(crate) use self::trace_record::{Beginning, End, Limits, MAX_CAPABILITY_BYTES};
#[cfg(feature = "otlp")]
pub(crate) use self::value::Kind;
pub use self::value::Value;
pub use self::with_span_ids::WithSpanIds;
