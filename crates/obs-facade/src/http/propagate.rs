//! Request IDs in and out (T7).

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue};
use obs_metrics::CounterFamily;
use obs_trace::TraceId;

use super::REQUEST_ID;

/// Writes the current trace's ID into the headers of an outgoing call, so that the next node's
/// logs and traces can be joined with ours. Does nothing when no trace is current.
///
/// A request ID that is already there is replaced.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// obs_facade::http::inject(&mut headers);
/// assert!(headers.is_empty(), "no trace is current here");
/// ```
pub fn inject(headers: &mut HeaderMap) {
    if let Some(trace) = obs_trace::current_trace() {
        headers.insert(REQUEST_ID, header_value(trace.id()));
    }
}

/// A trace ID as a header.
pub(super) fn header_value(id: TraceId) -> HeaderValue {
    HeaderValue::from_bytes(&id.to_text()).expect("26 letters and digits are a header value")
}

/// Where the ID of an incoming request comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestId {
    /// Exactly one well-formed header.
    Received(TraceId),
    /// None that can be used, and why; the text itself is forgotten here, so that it can neither be
    /// echoed nor logged.
    Fresh(&'static str),
}

pub(super) fn request_id(headers: &HeaderMap) -> RequestId {
    let mut values = headers.get_all(REQUEST_ID).iter();
    match (values.next(), values.next()) {
        (None, _) => RequestId::Fresh("missing"),
        (Some(_), Some(_)) => RequestId::Fresh("repeated"),
        (Some(value), None) => match obs_trace::propagation::parse_request_id(value.as_bytes()) {
            Some(id) => RequestId::Received(id),
            None => RequestId::Fresh("malformed"),
        },
    }
}

/// Counts a request that got a fresh trace ID, and why (T7).
pub(super) fn count_fresh(reason: &str) {
    static FRESH: LazyLock<CounterFamily<1>> = LazyLock::new(|| {
        obs_metrics::counter(
            "hearthnet_request_ids_fresh_total",
            "Bus calls that got a fresh request ID, by what was wrong with theirs.",
            ["reason"],
        )
    });
    FRESH.inc([reason]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&'static str]) -> RequestId {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REQUEST_ID, HeaderValue::from_static(value));
        }
        request_id(&headers)
    }

    #[test]
    fn t7_exactly_one_well_formed_value_is_accepted() {
        let id = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ";
        assert_eq!(with(&[id]), RequestId::Received(id.parse().unwrap()));
        assert_eq!(with(&[]), RequestId::Fresh("missing"));
        assert_eq!(with(&[id, id]), RequestId::Fresh("repeated"));
        for hostile in
            ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01HXR3F2Q4T6V8X0Z2B4D6F8H", " ", "../../etc/passwd"]
        {
            assert_eq!(with(&[hostile]), RequestId::Fresh("malformed"), "{hostile:?}");
        }
    }
}
