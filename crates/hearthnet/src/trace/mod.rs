//! Traces as nodes tell them to each other: records, and the parts that several nodes have of one trace.

pub(crate) mod part;
pub(crate) mod record;
