//! Check that a request does not come from a page of another site, host or port.

use http::header::{AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, Method};

use crate::refused::Refused;

/// Header by which the browser tells the relation of the asking page to the target. Pages cannot set it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Header for writes by programs. A page of another origin cannot send it without the server's consent (CORS), which this
/// server never gives.
const BY_PROGRAM: HeaderName = HeaderName::from_static("x-hearthnet-console");

/// Refuses the request of another page, and a write without proof that it comes from the console's own page or a program.
///
/// `own` is the host and port that the request names.
pub(super) fn require_own_page(request: &Parts, own: &Authority) -> Result<(), Refused> {
    let origin = read(request, &ORIGIN, |origin| is_origin_of(origin, own))?;
    let site =
        read(request, &FETCH_SITE, |site| site == "same-origin" || (is_read(request) && site == "none"))?;
    let is_by_program =
        request.headers.contains_key(BY_PROGRAM) || request.headers.contains_key(AUTHORIZATION);
    match is_read(request) || origin || site || is_by_program {
        true => Ok(()),
        false => Err(Refused::forbidden(
            "a write needs the header `Origin` of the console's page, or `X-HearthNet-Console: 1` from a program",
        )),
    }
}

/// Returns whether the header is there. Each of its values must be a good one.
fn read(request: &Parts, name: &HeaderName, is_good: impl Fn(&str) -> bool) -> Result<bool, Refused> {
    let mut values = request.headers.get_all(name).iter();
    match values.all(|value| value.to_str().is_ok_and(&is_good)) {
        true => Ok(request.headers.contains_key(name)),
        false => Err(Refused::forbidden("the request comes from a page of another site, host or port")),
    }
}

fn is_read(request: &Parts) -> bool {
    request.method == Method::GET || request.method == Method::HEAD
}

/// Returns whether an origin is the plain-HTTP one of this host and port. Only a page that this server sent has it.
fn is_origin_of(origin: &str, own: &Authority) -> bool {
    origin.strip_prefix("http://").is_some_and(|authority| authority.eq_ignore_ascii_case(own.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().method(method).uri("/console/api/v1/problems");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap().into_parts().0;
        require_own_page(&request, &Authority::from_static("127.0.0.1:7080")).is_ok()
    }

    #[test]
    fn another_pages_request_is_refused() {
        for method in ["GET", "POST", "DELETE"] {
            for origin in [
                "http://evil.example",
                "http://127.0.0.1:7860",
                "http://127.0.0.1",
                "http://localhost:7080",
                "https://127.0.0.1:7080",
                "null",
                "",
            ] {
                let headers = [("origin", origin), ("x-hearthnet-console", "1")];
                assert!(!check(method, &headers), "{method} {origin}");
            }
            for site in ["cross-site", "same-site", "", "Same-Origin"] {
                let headers = [("sec-fetch-site", site), ("x-hearthnet-console", "1")];
                assert!(!check(method, &headers), "{method} {site}");
            }
            let two = [("origin", "http://127.0.0.1:7080"), ("origin", "http://evil.example")];
            assert!(!check(method, &two));
        }
    }

    #[test]
    fn a_read_needs_nothing_and_a_write_a_proof() {
        assert!(check("GET", &[]));
        assert!(check("GET", &[("sec-fetch-site", "none")]));
        for method in ["POST", "DELETE", "PUT"] {
            assert!(!check(method, &[]), "{method}");
            assert!(!check(method, &[("sec-fetch-site", "none")]), "{method}");
            for proof in [
                ("origin", "http://127.0.0.1:7080"),
                ("sec-fetch-site", "same-origin"),
                ("x-hearthnet-console", "1"),
                ("authorization", "Bearer 0"),
            ] {
                assert!(check(method, &[proof]), "{method} {proof:?}");
            }
        }
    }
}
