//! Headers of a request that concern its call.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header that carries the trace ID of a request, a ULID.
pub const REQUEST_ID: HeaderName = HeaderName::from_static(name::REQUEST_ID);

/// Header that names the capability a bus call is for.
pub const CAPABILITY: HeaderName = HeaderName::from_static(name::CAPABILITY);

/// W3C header that carries the trace ID and the caller's span.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static(name::TRACEPARENT);

/// The names as text, for the patterns of a `match`.
mod name {
    pub(super) const REQUEST_ID: &str = "x-hearthnet-request-id";
    pub(super) const CAPABILITY: &str = "x-hearthnet-capability";
    pub(super) const TRACEPARENT: &str = "traceparent";
}

/// Values of these headers in a request, found in one pass. A look-up by name would hash each letter of the name.
#[derive(Default)]
pub(super) struct CallHeaders<'a> {
    pub(super) capability: Found<'a>,
    pub(super) request_id: Found<'a>,
    pub(super) traceparent: Found<'a>,
}

impl CallHeaders<'_> {
    pub(super) fn of(headers: &HeaderMap) -> CallHeaders<'_> {
        let mut found = CallHeaders::default();
        for (header, value) in headers {
            let place = match header.as_str() {
                name::REQUEST_ID => &mut found.request_id,
                name::CAPABILITY => &mut found.capability,
                name::TRACEPARENT => &mut found.traceparent,
                _ => continue,
            };
            place.add(value);
        }
        found
    }
}

/// Values of a header.
#[derive(Clone, Copy, Default)]
pub(super) enum Found<'a> {
    #[default]
    Missing,
    Once(&'a HeaderValue),
    /// The first of several values.
    Repeated(&'a HeaderValue),
}

/// Reason of an absent header, which is not counted as a refused one.
pub(super) const MISSING: &str = "missing";

impl<'a> Found<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match *self {
            Found::Missing => Found::Once(value),
            Found::Once(first) | Found::Repeated(first) => Found::Repeated(first),
        };
    }

    pub(super) fn first(self) -> Option<&'a HeaderValue> {
        match self {
            Found::Missing => None,
            Found::Once(first) | Found::Repeated(first) => Some(first),
        }
    }

    /// Returns the value of a header that is present exactly once and well-formed, or the reason to refuse it.
    pub(super) fn parsed<T>(self, parse: fn(&[u8]) -> Option<T>) -> Result<T, &'static str> {
        match self {
            Found::Missing => Err(MISSING),
            Found::Repeated(_) => Err("repeated"),
            Found::Once(value) => parse(value.as_bytes()).ok_or("malformed"),
        }
    }
}
