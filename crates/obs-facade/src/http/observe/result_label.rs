//! Value of the label `result` of a call.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use obs_metrics::OVERFLOW;
use obs_trace::Status;

/// Result of a request whose status 4xx is not one of the protocol's.
pub(super) const HTTP_4XX: &str = "http_4xx";
/// Result of a request whose status 5xx is not one of the protocol's.
pub(super) const HTTP_5XX: &str = "http_5xx";

/// Codes of the protocol and of its later versions, and the classes of other statuses. They always have a value of their
/// own.
const KNOWN: [&str; 34] = [
    "not_found",
    "capacity_exceeded",
    "schema_mismatch",
    "unauthorized",
    "revoked",
    "internal_error",
    "not_implemented",
    "timeout",
    "partition",
    "invalid_signature",
    "expired",
    "rate_limited",
    "bad_request",
    "federation_forbidden",
    "token_invalid",
    "token_expired",
    "token_scope_insufficient",
    "relay_unreachable",
    "e2e_session_missing",
    "e2e_decrypt_failed",
    "dht_lookup_failed",
    "not_federated",
    "experimental_disabled",
    "shard_unavailable",
    "pipeline_stalled",
    "fedlearn_round_quorum",
    "fedlearn_diff_invalid",
    "evidence_contradiction",
    "civdef_audit_required",
    "unavailable",
    "aggregation_too_few_nodes",
    "consent_denied",
    HTTP_4XX,
    HTTP_5XX,
];

/// Maximum number of other codes with a value of their own in this process. Each makes a series for each capability, and a
/// peer can invent any number of them.
const MAX_OTHERS: usize = 128;

/// Returns the error code of the call, or `ok` or `cancelled`. Codes beyond [`MAX_OTHERS`] unknown ones read
/// `__overflow__`.
pub(super) fn of(status: &Status) -> &str {
    match status {
        Status::Panic => "internal_error",
        Status::Failed(code) if !KNOWN.contains(&&**code) && !is_admitted(code) => OVERFLOW,
        status => status.as_str(),
    }
}

/// Returns whether an unknown code has a value of its own, which the first ones get.
#[cold]
fn is_admitted(code: &str) -> bool {
    // A lock, because only calls that failed with an unknown code come here.
    static OTHERS: Mutex<Option<HashSet<Box<str>>>> = Mutex::new(None);
    let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
    let others = others.get_or_insert_default();
    others.contains(code) || (others.len() < MAX_OTHERS && others.insert(code.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests of this file share the process's set of codes, so that there is one test.
    #[test]
    fn known_codes_have_a_value_and_so_have_the_first_unknown_ones() {
        let label = |code: &str| {
            let trace = obs_trace::new_trace("test.result_label");
            trace.fail(code);
            of(&trace.status()).to_owned()
        };
        let own = (0..10_000).filter(|n| label(&format!("foo_{n}")) != OVERFLOW).count();
        assert_eq!(own, MAX_OTHERS);
        assert_eq!((label("foo_0").as_str(), label("foo_9999").as_str()), ("foo_0", OVERFLOW));
        for code in KNOWN {
            assert_eq!(label(code), code);
        }
        assert_eq!(
            (of(&Status::Ok), of(&Status::Cancelled), of(&Status::Panic)),
            ("ok", "cancelled", "internal_error")
        );
    }
}
