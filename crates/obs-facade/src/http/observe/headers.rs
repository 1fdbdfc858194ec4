//! Names of the bus's own headers.

/// Header that carries the trace ID of a request, a ULID.
pub const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-hearthnet-request-id");

/// Header that names the capability a bus call is for.
pub const CAPABILITY: http::HeaderName = http::HeaderName::from_static("x-hearthnet-capability");
