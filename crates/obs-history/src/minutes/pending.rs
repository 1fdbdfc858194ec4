//! Minutes that wait for the file.

use std::collections::VecDeque;

use super::file::store::Stretch;
use super::minute::Minute;

/// Maximum number of minutes that wait while the file cannot be written.
const MAX_MINUTES: usize = 60;
/// Maximum bytes that they take in memory, about.
const MAX_BYTES: usize = 4 << 20;

/// Waiting minutes, oldest first, with the stretches that they belong to.
#[derive(Debug)]
pub(super) struct Pending {
    minutes: VecDeque<Minute>,
    bytes: usize,
    stretches: Vec<Stretch>,
    next_number: u64,
    lost: u64,
}

impl Pending {
    /// Returns an empty queue in a first stretch.
    pub(super) fn new(first: Stretch) -> Pending {
        let stretches = vec![first];
        Pending { minutes: VecDeque::new(), bytes: 0, stretches, next_number: 1, lost: 0 }
    }

    /// Number of minutes that did not fit.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    pub(super) fn len(&self) -> usize {
        self.minutes.len()
    }

    /// Stretch of the current minute.
    pub(super) fn current(&self) -> &Stretch {
        // There is always one: only stretches before the last are dropped.
        &self.stretches[self.stretches.len() - 1]
    }

    /// Begins a stretch of the same process.
    pub(super) fn begin(&mut self, cause: &'static str, first_minute: i64, clock_step_seconds: i64) {
        let stretch = self.following(self.current(), cause, first_minute);
        self.stretches.push(Stretch { clock_step_seconds, ..stretch });
        self.next_number += 1;
    }

    fn following(&self, before: &Stretch, cause: &'static str, first_minute: i64) -> Stretch {
        let process = before.token.rsplit_once('-').map_or(before.token.as_str(), |(process, _)| process);
        Stretch {
            number: self.next_number,
            token: format!("{process}-{}", self.next_number),
            cause,
            first_minute,
            clock_step_seconds: 0,
            ..before.clone()
        }
    }

    /// Notes that the process ends in order in the current stretch.
    pub(super) fn end(&mut self) {
        if let Some(last) = self.stretches.last_mut() {
            last.has_ended = true;
        }
    }

    /// Appends a minute of the current stretch. Drops the oldest ones if they are too many.
    pub(super) fn push(&mut self, minute: Minute) {
        self.bytes += minute.bytes();
        self.minutes.push_back(minute);
        while self.minutes.len() > MAX_MINUTES || (self.bytes > MAX_BYTES && self.minutes.len() > 1) {
            self.drop_oldest();
        }
    }

    /// Drops a minute. The rest of its stretch becomes one of its own, so that the file does not tell of a minute without
    /// calls.
    fn drop_oldest(&mut self) {
        let Some(dropped) = self.minutes.pop_front() else { return };
        self.bytes -= dropped.bytes();
        self.lost += 1;
        let Some(at) = self.stretches.iter().position(|stretch| stretch.number == dropped.stretch) else {
            return;
        };
        let is_current = at + 1 == self.stretches.len();
        let next =
            self.minutes.front().filter(|next| next.stretch == dropped.stretch).map(|next| next.minute);
        match next {
            None if !is_current => drop(self.stretches.remove(at)),
            next => {
                let next = next.unwrap_or(dropped.minute + 1);
                let rest = self.following(&self.stretches[at], "lost", next);
                self.next_number += 1;
                let of_rest = self.minutes.iter_mut().filter(|minute| minute.stretch == dropped.stretch);
                of_rest.for_each(|minute| minute.stretch = rest.number);
                self.stretches[at] = rest;
            }
        }
    }

    /// Number of the first minutes that are together no larger than this, one at least. They are written in one go.
    pub(super) fn part(&self, max_bytes: usize) -> usize {
        let mut bytes = 0;
        let fits = |minute: &&Minute| {
            bytes += minute.bytes();
            bytes <= max_bytes
        };
        self.minutes.iter().take_while(fits).count().max(1).min(self.minutes.len())
    }

    /// Returns the first minutes, and the stretches that they belong to. All minutes have the current stretch too, which may
    /// have none yet.
    pub(super) fn first(&mut self, minutes: usize) -> (Vec<&Stretch>, &[Minute]) {
        let is_all = minutes >= self.minutes.len();
        let minutes = &self.minutes.make_contiguous()[..minutes];
        let last = self.stretches.last().filter(|_| is_all).map(|last| last.number);
        let belongs = |stretch: &&Stretch| {
            Some(stretch.number) == last || minutes.iter().any(|minute| minute.stretch == stretch.number)
        };
        (self.stretches.iter().filter(belongs).collect(), minutes)
    }

    /// Removes the first minutes, which were written, and stretches that have no more. The current stretch stays.
    pub(super) fn written(&mut self, minutes: usize) {
        let bytes: usize = self.minutes.drain(..minutes).map(|minute| minute.bytes()).sum();
        self.bytes -= bytes;
        let current = self.current().number;
        let waiting = &self.minutes;
        self.stretches.retain(|stretch| {
            stretch.number == current || waiting.iter().any(|minute| minute.stretch == stretch.number)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch() -> Stretch {
        Stretch {
            number: 0,
            token: "1-2-0".to_owned(),
            cause: "start",
            started_at: 0,
            first_minute: 1,
            clock_step_seconds: 0,
            has_ended: false,
        }
    }

    fn minute(pending: &Pending, minute: i64) -> Minute {
        Minute { minute, stretch: pending.current().number, changes: Vec::new() }
    }

    #[test]
    fn minutes_that_do_not_fit_are_counted_and_leave_a_gap() {
        let mut pending = Pending::new(stretch());
        for at in 1..=100 {
            let minute = minute(&pending, at);
            pending.push(minute);
        }
        assert_eq!((pending.len(), pending.lost()), (60, 40));
        let (stretches, minutes) = pending.first(60);
        let [rest] = stretches[..] else { panic!("one stretch: {stretches:?}") };
        assert_eq!((rest.cause, rest.first_minute), ("lost", 41));
        assert!(rest.token != "1-2-0" && minutes.iter().all(|minute| minute.stretch == rest.number));
    }

    #[test]
    fn stretches_stay_until_their_minutes_are_written_or_dropped() {
        let mut pending = Pending::new(stretch());
        let one = minute(&pending, 1);
        pending.push(one);
        pending.begin("clock", 500, 29_940);
        let two = minute(&pending, 500);
        pending.push(two);
        assert_eq!(pending.first(2).0.len(), 2);
        assert_eq!((pending.first(1).0.len(), pending.part(1)), (1, 1));
        (501..560).for_each(|at| {
            let next = minute(&pending, at);
            pending.push(next);
        });
        let (stretches, _) = pending.first(60);
        assert_eq!(stretches.iter().map(|stretch| stretch.cause).collect::<Vec<_>>(), ["clock"]);
        pending.written(59);
        assert_eq!((pending.len(), pending.current().first_minute), (1, 500));
        pending.written(1);
        assert_eq!((pending.len(), pending.current().first_minute), (0, 500));
    }
}
