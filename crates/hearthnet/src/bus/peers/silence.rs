//! Lines of the log about a peer that does not answer.

use std::time::{Duration, Instant};

/// Interval at which the log is reminded of a peer that stays silent for one reason. A peer is asked every few seconds, so
/// that a line for each attempt would hide all other warnings.
const REMINDER: Duration = Duration::from_secs(10 * 60);

/// Failed requests to one peer.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Reason and time of the last line.
    last: Option<(String, Instant)>,
    /// Number of failures since that line.
    unlogged: u64,
}

impl Silence {
    /// Notes a failure. If it is time for a line, returns the number of failures that had none.
    pub(super) fn goes_on(&mut self, reason: &str, now: Instant) -> Option<u64> {
        let is_told = self
            .last
            .as_ref()
            .is_some_and(|(told, at)| told == reason && now.saturating_duration_since(*at) < REMINDER);
        if is_told {
            self.unlogged += 1;
            return None;
        }
        self.last = Some((reason.to_owned(), now));
        Some(std::mem::take(&mut self.unlogged))
    }

    /// Notes an answer. The next failure is told at once.
    pub(super) fn ends(&mut self) {
        *self = Silence::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_and_again_after_ten_minutes() {
        let (mut silence, start) = (Silence::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(silence.goes_on("refused", at(0)), Some(0));
        assert_eq!(silence.goes_on("refused", at(5)), None);
        assert_eq!(silence.goes_on("refused", at(10)), None);
        assert_eq!(silence.goes_on("timeout", at(15)), Some(2), "another reason");
        assert_eq!(silence.goes_on("timeout", at(614)), None);
        assert_eq!(silence.goes_on("timeout", at(615)), Some(1));
        silence.ends();
        assert_eq!(silence.goes_on("timeout", at(620)), Some(0));
    }
}
