//! `GET /callers`: callers with the most calls, refusals and errors.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::sketch::COUNTERS;
use super::table::{CallerCount, Callers, Measure};
use crate::wire;
use crate::wire::clock;
use crate::wire::error::{CallError, Code};

/// Default of `n`.
const DEFAULT_N: usize = 20;
/// Maximum of `n`: there are no more counters.
const MAX_N: usize = COUNTERS;

/// Returns the route. The caller hides it from other machines.
pub(in crate::bus) fn routes(callers: Arc<Callers>) -> Router {
    Router::new().route("/callers", get(serve)).with_state(callers)
}

async fn serve(State(callers): State<Arc<Callers>>, RawQuery(query): RawQuery) -> Response {
    let mut response = match number(query.as_deref().unwrap_or_default()) {
        Ok(n) => wire::json(&document(&callers, n)),
        Err(error) => error.into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns `n` from a raw query. The reason of an error never repeats text of the caller.
fn number(query: &str) -> Result<usize, CallError> {
    let mut n = None;
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let value = part
            .strip_prefix("n=")
            .ok_or_else(|| Code::BAD_REQUEST.because("unknown parameter: allowed is n"))?;
        // `parse` alone would take `+5`.
        let digits = Some(value).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        let value = digits.and_then(|digits| digits.parse().ok()).filter(|value| (1..=MAX_N).contains(value));
        let value = value
            .ok_or_else(|| Code::BAD_REQUEST.because(format!("n: not a whole number from 1 to {MAX_N}")))?;
        if n.replace(value).is_some() {
            return Err(Code::BAD_REQUEST.because("n is given twice"));
        }
    }
    Ok(n.unwrap_or(DEFAULT_N))
}

fn document(callers: &Callers, n: usize) -> Value {
    let top = |measure| callers.top_by(measure, n).iter().map(shown).collect::<Vec<_>>();
    json!({
        "since": clock::text(DateTime::<Utc>::from(callers.since())),
        "by_calls": top(Measure::Calls),
        "by_refused": top(Measure::Refused),
        "by_errors": top(Measure::Errors),
    })
}

/// Returns one caller. Each number has beside it the maximum number of events that it lacks.
fn shown(caller: &CallerCount) -> Value {
    json!({
        "node_id": caller.node_id,
        "address": caller.address.to_string(),
        "last_at": clock::text(DateTime::<Utc>::from(caller.last_at)),
        "calls": caller.calls.value,
        "calls_missed": caller.calls.missed,
        "refused": caller.refused.value,
        "refused_missed": caller.refused.missed,
        "errors": caller.errors.value,
        "errors_missed": caller.errors.missed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_bounds_and_a_bad_one_is_refused_with_what_is_allowed() {
        for (query, n) in [("", DEFAULT_N), ("n=1", 1), ("n=512", 512), ("&n=3&", 3)] {
            assert_eq!(number(query), Ok(n), "{query}");
        }
        for (query, said) in [
            ("n=0", "from 1 to 512"),
            ("n=513", "from 1 to 512"),
            ("n=-1", "from 1"),
            ("n=+5", "from 1"),
            ("n=5.0", "from 1"),
            ("n=", "from 1"),
            ("n=99999999999999999999999", "from 1"),
            ("n=1&n=2", "twice"),
            ("limit=3", "allowed is n"),
            ("n", "allowed is n"),
        ] {
            let error = number(query).unwrap_err();
            assert_eq!(error.code, Code::BAD_REQUEST);
            assert!(error.message.contains(said), "{query}: {}", error.message);
        }
    }
}
