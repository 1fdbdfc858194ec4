//! `GET /`: leads a browser on this machine to the console, and tells anybody else what is there.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use obs_facade::ConsoleAccess;
use obs_facade::http::is_local_caller;
use serde_json::json;

use super::PATH;
use crate::wire;

/// Routes that every caller may ask, with what they have.
const OPEN: [(&str, &str); 6] = [
    ("/health", "whether the process is alive"),
    ("/ready", "whether the node can serve calls"),
    ("/manifest", "signed description of the node"),
    ("/metrics", "metrics for Prometheus"),
    ("/trace/recent", "completed traces"),
    ("/trace/active", "running traces"),
];

/// Routes that only callers on this machine may ask.
const LOCAL: [(&str, &str); 3] = [
    ("/status", "report of the node about itself"),
    ("/callers", "callers with the most calls"),
    ("/log/level", "log levels in force"),
];

/// Returns the route.
pub(super) fn routes(access: ConsoleAccess, is_doctor_remote: bool) -> Router {
    let serve = async move |request: Request| {
        let (head, _) = request.into_parts();
        let is_local = is_local_caller(&head);
        match is_local && access != ConsoleAccess::Off && accepts(&head.headers, "text/html") {
            true => (StatusCode::SEE_OTHER, [(header::LOCATION, PATH)], "").into_response(),
            false => list(&head.headers, &known(access, is_local, is_doctor_remote)),
        }
    };
    Router::new().route("/", get(serve))
}

/// Returns the routes that the caller may ask.
fn known(access: ConsoleAccess, is_local: bool, is_doctor_remote: bool) -> Vec<(&'static str, &'static str)> {
    let mut known = OPEN.to_vec();
    if is_local || is_doctor_remote {
        known.push(("/doctor", "report of the doctor"));
    }
    if is_local {
        known.extend(LOCAL);
    }
    if access == ConsoleAccess::Lan || is_local && access == ConsoleAccess::Local {
        known.push((PATH, "console: page for people"));
    }
    known
}

/// Returns the list as JSON if the caller asks for it, else as text.
fn list(headers: &HeaderMap, routes: &[(&str, &str)]) -> Response {
    let mut response = if accepts(headers, "application/json") {
        let routes = routes.iter().map(|(path, what)| json!({ "path": path, "what": what }));
        wire::json(&json!({ "service": "hearthnet", "routes": routes.collect::<Vec<_>>() }))
    } else {
        let routes: String = routes.iter().map(|(path, what)| format!("  {path:<14} {what}\n")).collect();
        let text = format!("This is a HearthNet node. It has:\n\n{routes}\nCalls go to POST /bus/v1/call.\n");
        ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
    };
    // One address has several answers.
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// Returns whether the caller names a media type in `Accept` and does not refuse it.
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        is_named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_counts_if_it_is_named_and_not_refused() {
        let check = |accept: &'static str, wanted: &str| {
            let headers: HeaderMap =
                [(header::ACCEPT, header::HeaderValue::from_static(accept))].into_iter().collect();
            accepts(&headers, wanted)
        };
        assert!(check("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"));
        assert!(check("application/json", "application/json"));
        for (accept, wanted) in [("*/*", "text/html"), ("text/html;q=0", "text/html"), ("", "text/html")] {
            assert!(!check(accept, wanted), "{accept}");
        }
    }

    #[test]
    fn strangers_learn_of_no_local_route() {
        let paths = |access, is_local| {
            known(access, is_local, false).iter().map(|(path, _)| *path).collect::<Vec<_>>()
        };
        let stranger = paths(ConsoleAccess::Local, false);
        assert_eq!(stranger, OPEN.map(|(path, _)| path));
        assert!(paths(ConsoleAccess::Lan, false).contains(&PATH));
        assert!(paths(ConsoleAccess::Local, true).contains(&PATH));
        assert!(!paths(ConsoleAccess::Off, true).contains(&PATH));
    }
}
