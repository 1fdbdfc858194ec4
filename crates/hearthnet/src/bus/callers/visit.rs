//! Call in progress, which is counted for its caller when it ends.

use std::net::IpAddr;
use std::sync::Arc;

use super::key::Key;
use super::table::{Callers, Measure};
use crate::wire::error::{CallError, Code};
use crate::wire::signing::identity;

/// Call in progress. If it is dropped before its end, its caller has left, which is a call without a failure.
pub(in crate::bus) struct Visit {
    callers: Arc<Callers>,
    key: Key,
    address: IpAddr,
    is_ended: bool,
}

impl Callers {
    /// Begins a call from `address`. It is counted for that address until its signer is known.
    pub(in crate::bus) fn begin(self: &Arc<Callers>, address: IpAddr) -> Visit {
        Visit { callers: self.clone(), key: Key::Address(address), address, is_ended: false }
    }
}

impl Visit {
    /// Counts the call for `signer`, whose signature is valid.
    pub(in crate::bus) fn proven(&mut self, signer: &str) {
        self.key = identity::key_of(signer).map_or(self.key, Key::Node);
    }

    pub(in crate::bus) fn succeeded(mut self) {
        self.end(None);
    }

    pub(in crate::bus) fn failed(mut self, error: &CallError) {
        self.end(Some(measure(error)));
    }

    fn end(&mut self, failed_as: Option<Measure>) {
        self.is_ended = true;
        self.callers.count(self.key, self.address, failed_as);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if !self.is_ended {
            self.end(None);
        }
    }
}

/// Returns whether this node refused the caller. A refusal by a peer or a language model is a failure of this node to
/// answer, and is no refusal of the caller.
fn measure(error: &CallError) -> Measure {
    let refuses = [Code::RATE_LIMITED, Code::INVALID_SIGNATURE, Code::UNAUTHORIZED, Code::REVOKED];
    match error.target().is_none() && refuses.contains(&error.code) {
        true => Measure::Refused,
        false => Measure::Errors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_counted_once_for_its_signer_or_its_address() {
        let callers = Callers::new();
        let home: IpAddr = "192.168.1.40".parse().unwrap();
        callers.begin(home).succeeded();
        drop(callers.begin(home));
        let mut visit = callers.begin(home);
        visit.proven(&identity::id_of(&[7; 32]));
        visit.failed(&Code::RATE_LIMITED.because("too many"));
        callers.begin(home).failed(&Code::INVALID_SIGNATURE.because("forged"));
        callers.begin(home).failed(&Code::TIMEOUT.because("late"));
        let peer = "http://127.0.0.1:1/".parse().unwrap();
        callers.begin(home).failed(&Code::RATE_LIMITED.because("busy").asked("POST", &peer));
        let counts: Vec<_> = callers
            .top(9)
            .into_iter()
            .map(|caller| (caller.node_id, caller.calls.value, caller.refused.value, caller.errors.value))
            .collect();
        assert_eq!(counts, [(None, 5, 1, 2), (Some(identity::id_of(&[7; 32])), 1, 1, 0)]);
    }
}
