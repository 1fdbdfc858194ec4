//! Trace records: written while a trace runs, fixed when it ends.

pub(crate) mod fields;
pub(crate) mod interner;
pub(crate) mod live;
pub(crate) mod slots;
pub(crate) mod span_ids;
pub(crate) mod span_record;
pub(crate) mod status;
pub(crate) mod value;

pub(crate) use live::{End, Limits, MAX_CAPABILITY_BYTES, Outcome};
