//! Failed traces as problems.

use std::fmt;

use obs_history::problems::Occurrence;
use obs_trace::{Observer, Status, TraceRecord, Value};

use super::process::{PROBLEMS, now_ms};
use super::{offered, waking};

/// Observer that counts the traces that fail.
pub(super) struct Failures;

impl Observer for Failures {
    fn completed(&self, record: &TraceRecord) {
        let status = record.status();
        // With `Cancelled` the caller went away, and nothing failed here.
        if matches!(status, Status::Ok | Status::Cancelled) {
            return;
        }
        let id = record.trace_id().to_text();
        let failure = Occurrence {
            at_ms: now_ms(),
            count: 1,
            is_error: true,
            example: &Failure(record),
            trace_id: std::str::from_utf8(&id).ok(),
        };
        let place = offered::place(record.capability());
        let news = match status {
            Status::Panic => PROBLEMS.observe_panic(place, "the call panicked", &failure),
            status => PROBLEMS.observe_trace(place, status.as_str(), &failure),
        };
        if news.is_some() {
            waking::wake();
        }
    }
}

/// Example of a failure: the capability, the code, and the cause that a span has.
struct Failure<'a>(&'a TraceRecord);

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.0;
        write!(f, "{}: {}", record.capability(), record.status())?;
        let spans = record.spans();
        // The last one is the nearest to the failure.
        let text = |key| spans.iter().rev().find_map(|span| span.field(key).and_then(Value::as_str));
        text("cause").map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}
