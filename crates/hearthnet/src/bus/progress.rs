//! Call in progress, and the places that are told how it ends.

use std::sync::Arc;

use super::callers::{Callers, Visit};
use super::failure;
use super::recent::{Ongoing, Recent};
use crate::wire::caller::Caller;
use crate::wire::error::CallError;

/// Call in progress. If it is dropped before its end, its caller has left.
pub(super) struct Progress {
    /// Name that the capability is counted as.
    counted_as: String,
    ongoing: Ongoing,
    visit: Visit,
    caller: Caller,
}

impl Progress {
    /// Begins a call of `counted_as` by `caller`.
    pub(super) fn begin(
        recent: &Arc<Recent>,
        callers: &Arc<Callers>,
        counted_as: &str,
        caller: Caller,
    ) -> Progress {
        caller.name_on_done_line();
        Progress {
            counted_as: counted_as.to_owned(),
            ongoing: recent.begin(counted_as),
            visit: callers.begin(caller.address()),
            caller,
        }
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Notes that the call is signed by `signer`.
    pub(super) fn proven(&mut self, signer: &str) {
        self.visit.proven(signer);
        self.caller.verified();
    }

    pub(super) fn succeeded(self) {
        self.ongoing.succeeded();
        self.visit.succeeded();
    }

    /// Records the cause of the failure, and counts the call.
    pub(super) fn failed(self, error: &CallError) {
        let cause = failure::record(&self.counted_as, error, &self.caller);
        self.ongoing.failed(error, &cause);
        self.visit.failed(error);
    }
}
