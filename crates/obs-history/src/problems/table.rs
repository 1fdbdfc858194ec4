//! Table of the problems. Its size is bounded, whatever the errors say.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::cause::{Cause, Kind, Text};
use super::counters::Counted;
use super::pattern::start_of;
use super::problem::{Problem, ProblemId, State};

/// Maximum number of problems of one kind, so that one kind cannot displace the others.
pub const MAX_PER_KIND: usize = 256;

/// Maximum number of problems that are not of the kind `other`. At 1.5 KiB each they take at most 1.5 MiB.
pub const MAX_PROBLEMS: usize = 4 * MAX_PER_KIND;

/// Maximum number of problems of one logger, capability or check, so that hostile text at one place cannot displace the
/// problems of others.
pub const MAX_PER_PLACE: usize = 64;

/// Maximum length in bytes of an example.
const MAX_EXAMPLE_BYTES: usize = 400;
/// Maximum length in bytes of a trace's ID.
const MAX_TRACE_ID_BYTES: usize = 32;

/// Time after which a problem that is not seen any more is over.
const CLEARED_AFTER_MS: u64 = 24 * 60 * 60 * 1_000;
/// The same for checks, which run once a day at least.
const CHECK_CLEARED_AFTER_MS: u64 = 2 * CLEARED_AFTER_MS;
/// Time for which a problem that is over is still listed.
const FORGOTTEN_AFTER_MS: u64 = 7 * CLEARED_AFTER_MS;
/// Longest silence that a file may ask for.
const LONGEST_SILENCE_MS: u64 = 366 * CLEARED_AFTER_MS;

/// One error, or several equal ones.
///
/// ```
/// use obs_history::problems::Occurrence;
///
/// let held_back = 41;
/// let error = Occurrence { at_ms: 1_000, count: 1 + held_back, is_error: false, example: &"slow", trace_id: None };
/// assert_eq!(error.count, 42);
/// ```
#[derive(Clone, Copy)]
pub struct Occurrence<'a> {
    /// Time in milliseconds since 1970.
    pub at_ms: u64,
    /// Number of errors: 1, or more for a line that stands for others which were held back.
    pub count: u64,
    /// Whether the error is of level `error`.
    pub is_error: bool,
    /// Text with its varying parts. It is formatted once a minute at most.
    pub example: &'a dyn fmt::Display,
    /// ID of its trace.
    pub trace_id: Option<&'a str>,
}

impl fmt::Debug for Occurrence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Occurrence { at_ms, count, is_error, .. } = self;
        f.debug_struct("Occurrence")
            .field("at_ms", at_ms)
            .field("count", count)
            .field("is_error", is_error)
            .finish_non_exhaustive()
    }
}

/// Occurrence whose texts are ready.
#[derive(Debug)]
pub(super) struct Error<'a> {
    pub(super) at_ms: u64,
    pub(super) count: u64,
    pub(super) is_error: bool,
    pub(super) example: Box<str>,
    pub(super) trace_id: Option<&'a str>,
}

/// Invariant: at most [`MAX_PER_KIND`] problems of each kind, at most [`MAX_PER_PLACE`] of them at a place, and at most
/// [`MAX_PER_PLACE`] + 1 of the kind `other`.
#[derive(Debug, Default)]
pub(super) struct Table {
    problems: BTreeMap<ProblemId, Problem>,
    /// Number of the problems of each place that are not `Other`, so that a full table costs no search.
    places: HashMap<Box<str>, usize>,
    /// Number of the problems of each kind, by the order of the kinds.
    kinds: [usize; Kind::ALL.len()],
    /// Problems that are new or came back, and were not told yet.
    pub(super) news: Vec<ProblemId>,
    /// Number of further ones.
    pub(super) more_news: u64,
    /// Number of changes of problems, states and counts.
    pub(super) changes: u64,
}

/// Maximum number of problems that wait to be told.
const MAX_NEWS: usize = 64;

/// Problem that an error belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    pub(super) id: ProblemId,
    /// Whether the problem is new or came back.
    pub(super) is_news: bool,
    /// Whether the error is counted under one of the kind `other`, because its own place has no room.
    pub(super) is_other: bool,
}

impl Table {
    /// Counts an error of a cause.
    pub(super) fn observe(&mut self, cause: Cause, error: &Error<'_>) -> Option<Noted> {
        if let Some(id) = self.find(&cause) {
            return self.count(id, error, false);
        }
        if self.has_room(&cause) {
            return self.insert(Problem::new(cause, error), false);
        }
        let other = self.other(cause.place());
        match self.find(&other) {
            Some(id) => self.count(id, error, true),
            None => self.insert(Problem::new(other, error), true),
        }
    }

    /// Adds what was counted of a problem without the table. Returns `false` if the problem is gone.
    pub(super) fn add(&mut self, id: ProblemId, counted: &Counted) -> bool {
        let Some(problem) = self.problems.get_mut(&id) else { return false };
        problem.count = problem.count.saturating_add(counted.count);
        problem.is_error |= counted.is_error;
        problem.last_seen_ms = problem.last_seen_ms.max(counted.last_ms);
        self.changes += 1;
        if problem.goes_on() {
            self.tell(id);
        }
        true
    }

    fn count(&mut self, id: ProblemId, error: &Error<'_>, is_other: bool) -> Option<Noted> {
        let problem = self.problems.get_mut(&id)?;
        problem.count = problem.count.saturating_add(error.count);
        problem.is_error |= error.is_error;
        problem.first_seen_ms = problem.first_seen_ms.min(error.at_ms);
        problem.last_seen_ms = problem.last_seen_ms.max(error.at_ms);
        if problem.example != error.example {
            problem.example = error.example.clone();
        }
        if let Some(trace_id) = error.trace_id {
            problem.trace_id = Some(start_of(trace_id, MAX_TRACE_ID_BYTES).into());
        }
        self.changes += 1;
        let is_news = problem.goes_on();
        if is_news {
            self.tell(id);
        }
        Some(Noted { id, is_news, is_other })
    }

    /// Puts a problem into the table. `None` if no number is free for it, which no chance does.
    fn insert(&mut self, mut problem: Problem, is_other: bool) -> Option<Noted> {
        let id = problem.id.choices().find(|id| !self.problems.contains_key(id))?;
        problem.id = id;
        self.kinds[problem.cause.kind() as usize] += 1;
        if problem.cause.kind() != Kind::Other {
            *self.places.entry(problem.cause.place().into()).or_default() += 1;
        }
        self.problems.insert(id, problem);
        self.tell(id);
        Some(Noted { id, is_news: true, is_other })
    }

    fn tell(&mut self, id: ProblemId) {
        self.changes += 1;
        if self.news.len() < MAX_NEWS {
            self.news.push(id);
        } else {
            self.more_news += 1;
        }
    }

    /// Clears the problems of a check that passes. Returns whether there was one.
    pub(super) fn check_passed(&mut self, name: &str, at_ms: u64) -> bool {
        let is_failing = |problem: &&mut Problem| {
            let cause = &problem.cause;
            cause.kind() == Kind::Check && cause.place() == name && problem.over_since_ms.is_none()
        };
        let mut failing = 0;
        for problem in self.problems.values_mut().filter(is_failing) {
            problem.clear(at_ms);
            failing += 1;
        }
        self.changes += failing;
        failing > 0
    }

    /// Clears what is not seen any more, ends silences, and forgets what has been over for a week. Returns whether anything
    /// changed.
    pub(super) fn tick(&mut self, now_ms: u64) -> bool {
        let before = self.changes;
        for problem in self.problems.values_mut() {
            let was = problem.state;
            let patience = match problem.cause.kind() {
                Kind::Check => CHECK_CLEARED_AFTER_MS,
                _ => CLEARED_AFTER_MS,
            };
            if problem.over_since_ms.is_none() && now_ms.saturating_sub(problem.last_seen_ms) >= patience {
                problem.clear(now_ms);
            }
            if let State::Muted { until_ms } = problem.state
                && until_ms <= now_ms
            {
                problem.unmute();
            }
            self.changes += u64::from(problem.state != was);
        }
        let number = self.problems.len();
        self.forget(now_ms);
        self.changes += (number - self.problems.len()) as u64;
        self.changes != before
    }

    fn forget(&mut self, now_ms: u64) {
        let Table { problems, places, kinds, .. } = self;
        problems.retain(|_, problem| {
            let is_over = match problem.state {
                State::Cleared { at_ms } => now_ms.saturating_sub(at_ms) >= FORGOTTEN_AFTER_MS,
                _ => false,
            };
            if is_over {
                kinds[problem.cause.kind() as usize] -= 1;
                if problem.cause.kind() != Kind::Other
                    && let Some(number) = places.get_mut(problem.cause.place())
                {
                    *number -= 1;
                }
            }
            !is_over
        });
        places.retain(|_, number| *number > 0);
    }

    /// Mutes a problem until a time. Returns whether there is such a problem.
    pub(super) fn mute(&mut self, id: ProblemId, until_ms: u64) -> bool {
        self.change(id, |problem| problem.state = State::Muted { until_ms })
    }

    /// Ends the silence of a problem. Returns whether there is such a problem.
    pub(super) fn unmute(&mut self, id: ProblemId) -> bool {
        self.change(id, Problem::unmute)
    }

    fn change(&mut self, id: ProblemId, change: impl FnOnce(&mut Problem)) -> bool {
        let Some(problem) = self.problems.get_mut(&id) else { return false };
        change(problem);
        self.changes += 1;
        true
    }

    /// Returns a copy of a problem.
    pub(super) fn get(&self, id: ProblemId) -> Option<Problem> {
        self.problems.get(&id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Problem> {
        self.problems.values().cloned().collect()
    }

    pub(super) fn open_by_kind(&self) -> [(Kind, usize); Kind::ALL.len()] {
        Kind::ALL.map(|kind| {
            let of_kind = self.problems.values().filter(|problem| problem.cause.kind() == kind);
            (kind, of_kind.filter(|problem| problem.state == State::Open).count())
        })
    }

    /// Takes problems of an earlier run in. A problem that the earlier run knew is no news. Nothing in them is trusted.
    pub(super) fn restore(&mut self, earlier: Vec<Problem>, now_ms: u64) {
        for old in earlier.into_iter().take(MAX_PROBLEMS + MAX_PER_PLACE + 1) {
            let old = old.bounded(now_ms);
            if let Some(id) = self.find(&old.cause) {
                let was_over = matches!(old.state, State::Cleared { .. });
                if let Some(problem) = self.problems.get_mut(&id) {
                    problem.continue_from(old);
                }
                // One that came back is news.
                if !was_over {
                    self.news.retain(|news| *news != id);
                }
            } else if self.has_room(&old.cause) && self.insert(old, false).is_some() {
                // It was told when it came.
                self.news.pop();
            }
        }
    }

    fn find(&self, cause: &Cause) -> Option<ProblemId> {
        let is_of = |id: &ProblemId| self.problems.get(id).is_some_and(|problem| problem.cause == *cause);
        ProblemId::of(cause).choices().find(is_of)
    }

    fn has_room(&self, cause: &Cause) -> bool {
        let of_kind = self.kinds[cause.kind() as usize];
        match cause.kind() {
            Kind::Other => of_kind <= MAX_PER_PLACE,
            _ => {
                let of_place = self.places.get(cause.place()).copied().unwrap_or_default();
                of_kind < MAX_PER_KIND && of_place < MAX_PER_PLACE
            }
        }
    }

    /// Returns whether no place has room for another problem of a kind.
    pub(super) fn is_full(&self, kind: Kind) -> bool {
        self.kinds[kind as usize] >= MAX_PER_KIND
    }

    /// Returns the cause under which errors of a place without room are counted: one for each of the first places, and one
    /// for all others.
    fn other(&self, place: &str) -> Cause {
        let own = Cause::of(&Text::other(place));
        let has_own = self.find(&own).is_some() || self.kinds[Kind::Other as usize] < MAX_PER_PLACE;
        if has_own { own } else { Cause::of(&Text::other("")) }
    }
}

impl Problem {
    fn new(cause: Cause, error: &Error<'_>) -> Problem {
        Problem {
            id: ProblemId::of(&cause),
            cause,
            is_error: error.is_error,
            count: error.count,
            returned: 0,
            first_seen_ms: error.at_ms,
            last_seen_ms: error.at_ms,
            example: error.example.clone(),
            trace_id: error.trace_id.map(|id| start_of(id, MAX_TRACE_ID_BYTES).into()),
            state: State::Open,
            over_since_ms: None,
        }
    }

    /// Adds what an earlier run knew of the problem.
    fn continue_from(&mut self, old: Problem) {
        self.count = self.count.saturating_add(old.count);
        self.is_error |= old.is_error;
        self.returned = self.returned.saturating_add(old.returned);
        self.first_seen_ms = self.first_seen_ms.min(old.first_seen_ms);
        match old.state {
            State::Muted { .. } => self.state = old.state,
            State::Cleared { .. } => self.returned = self.returned.saturating_add(1),
            State::Open => {}
        }
    }

    /// Returns the problem within the bounds of one that this program made. A file may hold anything.
    fn bounded(mut self, now_ms: u64) -> Problem {
        self.cause = self.cause.bounded();
        self.id = ProblemId::of(&self.cause);
        self.example = example(&self.example);
        self.trace_id = self.trace_id.map(|id| start_of(&id, MAX_TRACE_ID_BYTES).into());
        // A time of the future would keep it open for ever.
        self.last_seen_ms = self.last_seen_ms.min(now_ms);
        self.first_seen_ms = self.first_seen_ms.min(self.last_seen_ms);
        self.over_since_ms = self.over_since_ms.map(|at_ms| at_ms.min(now_ms));
        self.state = match self.state {
            State::Muted { until_ms } => {
                State::Muted { until_ms: until_ms.min(now_ms.saturating_add(LONGEST_SILENCE_MS)) }
            }
            _ => self.over_since_ms.map_or(State::Open, |at_ms| State::Cleared { at_ms }),
        };
        self
    }
}

/// Returns the start of a text that is kept as an example.
pub(super) fn example(text: &str) -> Box<str> {
    start_of(text, MAX_EXAMPLE_BYTES).into()
}
