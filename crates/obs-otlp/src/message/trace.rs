//! Messages of `opentelemetry/proto/trace/v1/trace.proto`.

use prost::Message;

use super::common::KeyValue;

#[derive(Clone, PartialEq, Message)]
pub struct Span {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    pub parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(int32, tag = "6")]
    pub kind: i32,
    #[prost(fixed64, tag = "7")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    pub end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    pub flags: u32,
}

/// Kinds of a span.
pub mod kind {
    pub const INTERNAL: i32 = 1;
    pub const SERVER: i32 = 2;
    pub const CLIENT: i32 = 3;
}

/// Flags of a span.
pub mod flags {
    const HAS_IS_REMOTE: u32 = 0x100;
    pub const IS_REMOTE: u32 = 0x200;

    /// Returns the flags of a span: those of its trace, and that it is known whether the parent is remote.
    #[must_use]
    pub fn of(trace_flags: u8) -> u32 {
        u32::from(trace_flags) | HAS_IS_REMOTE
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(int32, tag = "3")]
    pub code: i32,
}

/// Codes of a [`Status`].
pub mod code {
    pub const ERROR: i32 = 2;
}
