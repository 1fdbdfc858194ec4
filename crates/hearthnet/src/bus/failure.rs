//! Record of a failed call: its cause on a span and in a line of the log.

use obs_facade::log::log::{self, Level};
use obs_facade::{counted_elsewhere, trace};

use super::logger::LIMITED;
use crate::wire::caller::Caller;
use crate::wire::error::{CallError, Code};

/// Name of the span for a failure that no other span has.
const SPAN: &str = "failed";
/// Field of a span with the cause of its failure.
pub(crate) const CAUSE_FIELD: &str = "cause";

/// Name under which the lines about codes of later versions are limited. A peer can send any number of them.
const LATER_CODE: &str = "(later)";
/// Target of a call that failed without a request to another server.
const HERE: &str = "this node";

/// Records the failure of the current call of `caller`. `counted_as` is the name of the capability if a node offers it.
///
/// The line has the level `error` if this node failed, else `warning`. It is limited to one a second for each
/// capability, code and server. It is the only line about a call above a rate limit, beside `done`. Returns the cause.
pub(super) fn record(counted_as: &str, error: &CallError, caller: &Caller) -> String {
    let (code, cause) = (error.code.as_str(), error.cause());
    // A request that is no call, such as one for an unknown path, has no trace and no line `done`.
    let Some(trace) = trace::current_trace() else { return cause };
    if !error.is_noted() {
        drop(trace::span(SPAN).field("error", code).field(CAUSE_FIELD, cause.as_str()).enter());
    }
    // The parts are names that this node knows. A caller that invents names gets no lines of its own.
    let (target, capability) = (error.target().unwrap_or(HERE), trace.capability());
    let kind = if error.code.is_defined() { code } else { LATER_CODE };
    let key = format!("{counted_as} {kind} {target}");
    let advice = error.advice().unwrap_or_else(|| advice(error.code));
    let level = if error.code == Code::INTERNAL_ERROR { Level::Error } else { Level::Warn };
    // The trace of the call is the problem.
    counted_elsewhere(|| {
        log::log!(
            logger: caller.on(&LIMITED.key(key)), level,
            capability = capability, code = code, target = target, cause = cause.as_str(), advice = advice;
            "call failed"
        );
    });
    cause
}

/// Returns the advice for an error that has none of its own.
fn advice(code: Code) -> &'static str {
    match code {
        Code::BAD_REQUEST => "the caller has to correct its request",
        Code::SCHEMA_MISMATCH => "the caller has to send the fields and types that the capability takes",
        Code::INVALID_SIGNATURE => {
            "the caller has to sign with its own key, once for each call, and with a correct clock"
        }
        Code::UNAUTHORIZED | Code::REVOKED => "the caller has to ask the owner of the node for access",
        Code::NOT_FOUND => "the caller has to use a name or path that the node offers",
        Code::TIMEOUT => "see which span of the trace took the time, and raise the timeout that ended it",
        Code::EXPIRED => "the caller has to send a new request",
        Code::RATE_LIMITED => {
            "the caller has to call less often; the limit is `rate_limit_hard_rps` in `[transport]`"
        }
        Code::CAPACITY_EXCEEDED => "wait until other calls have ended",
        Code::NOT_IMPLEMENTED => "the caller has to ask for something that the capability offers",
        Code::AGGREGATION_TOO_FEW_NODES => "wait until more nodes of the community share the metrics",
        Code::PARTITION => "check whether the other server runs, and the network in between",
        // `internal_error`.
        _ => "see the lines before this one in the log, and report a bug if they do not explain it",
    }
}
