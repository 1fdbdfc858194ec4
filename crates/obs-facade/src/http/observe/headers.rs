//! Headers of the bus.

/// The header that carries the trace ID of a request, a ULID (spec §5.1).
pub const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-hearthnet-request-id");

/// The header that names the capability a bus call is for.
pub const CAPABILITY: http::HeaderName = http::HeaderName::from_static("x-hearthnet-capability");
