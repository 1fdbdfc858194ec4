//! Result code of a call or request, from the head of its response.

use http::{Response, StatusCode};

use super::call::{Call, Kind};
use super::result_label::{HTTP_4XX, HTTP_5XX};

/// Result of a call, which a handler puts into the extensions of its response.
///
/// Without it the code is derived from the response's status. A code set with
/// [`Trace::fail`](crate::trace::Trace::fail) on the current trace wins over both, because only that can still be set
/// after a streamed response has begun.
///
/// ```
/// use obs_facade::http::ResultCode;
///
/// let mut response = http::Response::builder().status(400).body(()).unwrap();
/// response.extensions_mut().insert(ResultCode("schema_mismatch"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultCode(pub &'static str);

/// Marks the trace as failed when the head of the response says so. A failure that was set before stays.
pub(super) fn note_head<B>(call: &Call, response: &Response<B>) {
    let status = response.status();
    let (trace, code) = (call.trace(), code_of(call.kind(), response));
    if code != OK {
        trace.fail(code);
    }
    if call.kind() == Kind::Route {
        // Several statuses share a result.
        trace.set_done_field("http_status", status.as_u16());
    }
    trace.set_root_field("http.response.status_code", || status.as_u16().into());
}

fn code_of<B>(kind: Kind, response: &Response<B>) -> &'static str {
    match (response.extensions().get::<ResultCode>(), kind) {
        (Some(ResultCode(code)), _) => code,
        (None, Kind::BusCall) => code_of_status(response.status()),
        (None, Kind::Route) => result_of_status(response.status()),
    }
}

const OK: &str = "ok";

/// Returns the result of a request that is no bus call: the code of the protocol for exactly this status, or its class.
fn result_of_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..=399 => OK,
        400 | 401 | 403 | 404 | 408 | 410 | 429 | 500 | 501 | 503 => code_of_status(status),
        400..=499 => HTTP_4XX,
        _ => HTTP_5XX,
    }
}

/// Returns the error code of a status. Several codes share a status; the protocol lists the most general one first, and
/// that one is returned.
fn code_of_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        // A final response can have 101 of the 1xx codes only. Servers replace any other one by a 500.
        100 | 102..=199 => "internal_error",
        ..=399 => OK,
        401 => "unauthorized",
        403 => "revoked",
        404 => "not_found",
        408 => "timeout",
        410 => "expired",
        429 => "rate_limited",
        501 => "not_implemented",
        503 => "partition",
        _ if status.is_client_error() => "bad_request",
        _ => "internal_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_protocol_has_its_code() {
        let pairs = [
            (100, "internal_error"),
            (101, "ok"),
            (200, "ok"),
            (304, "ok"),
            (400, "bad_request"),
            (401, "unauthorized"),
            (403, "revoked"),
            (404, "not_found"),
            (408, "timeout"),
            (410, "expired"),
            (413, "bad_request"),
            (429, "rate_limited"),
            (500, "internal_error"),
            (501, "not_implemented"),
            (502, "internal_error"),
            (503, "partition"),
        ];
        for (status, code) in pairs {
            assert_eq!(code_of_status(StatusCode::from_u16(status).unwrap()), code, "{status}");
        }
    }

    #[test]
    fn every_status_of_a_route_has_its_result() {
        let of = |status| result_of_status(StatusCode::from_u16(status).unwrap());
        for status in 100..400 {
            assert_eq!(of(status), OK, "{status}");
        }
        let own = [
            (400, "bad_request"),
            (401, "unauthorized"),
            (403, "revoked"),
            (404, "not_found"),
            (408, "timeout"),
            (410, "expired"),
            (429, "rate_limited"),
            (500, "internal_error"),
            (501, "not_implemented"),
            (503, "partition"),
        ];
        for status in 400..1000 {
            let class = if status < 500 { HTTP_4XX } else { HTTP_5XX };
            let code = own.iter().find(|(known, _)| *known == status).map_or(class, |(_, code)| code);
            assert_eq!(of(status), code, "{status}");
        }
    }
}
