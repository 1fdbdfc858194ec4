//! Problems of a node, for all its threads.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cause::{Cause, Kind, Text};
use super::counters::{Attempt, Counted, Counters, SlotNumber};
use super::pattern::MAX_READ_BYTES;
use super::pattern::start_of;
use super::problem::{Problem, ProblemId, State};
use super::table::{Error, Noted, Occurrence, Table, example};

thread_local! {
    /// Buffer for the pattern of a message. It keeps the size of the thread's longest pattern, which is bounded.
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Problems of a node.
///
/// An error of a known cause takes no lock and allocates nothing, unless it is the first after a write to the file, which calls the
/// function of [`on_change`](Problems::on_change). The first error of a cause in a minute takes a lock, which is
/// held for a look-up, a copy of the table, or its change; no disk and no code of a user is behind it.
///
/// ```
/// use obs_history::problems::{Occurrence, Problems};
///
/// let problems = Problems::new();
/// let error = Occurrence { at_ms: 1_000, count: 1, is_error: true, example: &"no answer from bob", trace_id: None };
/// assert!(problems.observe_trace("llm.chat", "timeout", &error).is_some(), "it is new");
/// assert!(problems.observe_trace("llm.chat", "timeout", &error).is_none());
/// assert_eq!(problems.list()[0].count, 2);
/// ```
pub struct Problems {
    counters: Counters,
    guarded: Mutex<Guarded>,
    redact: fn(&str) -> String,
    on_change: fn(),
    /// Whether a change was told since a writer last asked for the number of changes.
    is_told: AtomicBool,
}

/// Parts behind the lock.
#[derive(Debug)]
struct Guarded {
    table: Table,
    /// Problem whose errors each slot counts.
    owners: Box<[Option<ProblemId>]>,
}

/// Problems that are new or came back since they were asked for.
///
/// ```
/// assert!(obs_history::problems::Problems::new().take_news().problems.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct News {
    /// The first of them.
    pub problems: Vec<Problem>,
    /// Number of further ones.
    pub more: u64,
}

impl Default for Problems {
    fn default() -> Problems {
        Problems::new()
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems").field("open", &self.open_by_kind()).finish_non_exhaustive()
    }
}

impl Problems {
    /// Creates an empty table.
    #[must_use]
    pub fn new() -> Problems {
        let owners = vec![None; Counters::SLOTS].into();
        Problems {
            counters: Counters::new(),
            guarded: Mutex::new(Guarded { table: Table::default(), owners }),
            redact: str::to_owned,
            on_change: || {},
            is_told: AtomicBool::new(false),
        }
    }

    /// Sets a function that removes secrets from the texts that are kept.
    #[must_use]
    pub fn redaction(mut self, redact: fn(&str) -> String) -> Problems {
        self.redact = redact;
        self
    }

    /// Sets a function that is called at the first change after each write to the file, so that a thread can write the next time.
    /// The thread that has the error calls it, so it must be quick.
    #[must_use]
    pub fn on_change(mut self, wake: fn()) -> Problems {
        self.on_change = wake;
        self
    }

    /// Counts log lines of level `warning` or `error`. See [`Cause::of_line`].
    ///
    /// Returns the problem's ID if it is new or has come back.
    pub fn observe_line(
        &self,
        logger: &str,
        message: &str,
        because: Option<&str>,
        occurrence: &Occurrence<'_>,
    ) -> Option<ProblemId> {
        self.observe(&Text { kind: Kind::Line, place: logger, what: message, because }, occurrence)
    }

    /// Counts failed traces. See [`Cause::of_trace`].
    ///
    /// Returns the problem's ID if it is new or has come back.
    pub fn observe_trace(
        &self,
        capability: &str,
        code: &str,
        occurrence: &Occurrence<'_>,
    ) -> Option<ProblemId> {
        self.observe(&Text { kind: Kind::Trace, place: capability, what: code, because: None }, occurrence)
    }

    /// Counts panics. See [`Cause::of_panic`].
    ///
    /// Returns the problem's ID if it is new or has come back.
    pub fn observe_panic(
        &self,
        place: &str,
        message: &str,
        occurrence: &Occurrence<'_>,
    ) -> Option<ProblemId> {
        self.observe(&Text { kind: Kind::Panic, place, what: message, because: None }, occurrence)
    }

    /// Counts a run of a check that fails. See [`Cause::of_check`].
    ///
    /// Returns the problem's ID if it is new or has come back.
    pub fn observe_check(&self, name: &str, detail: &str, occurrence: &Occurrence<'_>) -> Option<ProblemId> {
        // By the table, because a check may pass at any time, and its next failure is news then.
        self.tell_after(|| {
            self.note(None, &Text { kind: Kind::Check, place: name, what: detail, because: None }, occurrence)
        })
    }

    /// Clears the problems of a check that passes.
    pub fn check_passed(&self, name: &str, at_ms: u64) {
        let has_cleared = self.lock().table.check_passed(name, at_ms);
        if has_cleared {
            self.tell();
        }
    }

    fn observe(&self, text: &Text<'_>, occurrence: &Occurrence<'_>) -> Option<ProblemId> {
        self.tell_after(|| self.count(text, occurrence))
    }

    fn tell_after<T>(&self, change: impl FnOnce() -> T) -> T {
        let done = change();
        self.tell();
        done
    }

    fn tell(&self) {
        // SeqCst, as where the counters are added to and taken: if this thread sees that the change before was told, the writer
        // which was told takes this change too.
        if !self.is_told.load(Ordering::SeqCst) && !self.is_told.swap(true, Ordering::SeqCst) {
            (self.on_change)();
        }
    }

    fn count(&self, text: &Text<'_>, occurrence: &Occurrence<'_>) -> Option<ProblemId> {
        let key = with_scratch(|scratch| self.counters.key(text, scratch));
        match self.add(key, occurrence) {
            Attempt::Counted => None,
            Attempt::Due => self.note(Some(key), text, occurrence),
            // Errors of a place without room have slots that stay, so that a flood of new texts takes no lock either.
            Attempt::Unknown if self.is_counted_as_other(text, occurrence) => None,
            Attempt::Unknown => self.note(Some(key), text, occurrence),
        }
    }

    fn is_counted_as_other(&self, text: &Text<'_>, occurrence: &Occurrence<'_>) -> bool {
        let counted = |place| {
            let key = self.counters.key(&Text::other_of(text.kind, place), &mut String::new());
            self.add(key, occurrence) == Attempt::Counted
        };
        counted(text.place()) || counted("")
    }

    fn add(&self, key: u64, occurrence: &Occurrence<'_>) -> Attempt {
        let Occurrence { at_ms, count, is_error, .. } = *occurrence;
        self.counters.add(key, at_ms, count, is_error)
    }

    /// Counts errors by the table, which keeps their texts.
    fn note(&self, key: Option<u64>, text: &Text<'_>, occurrence: &Occurrence<'_>) -> Option<ProblemId> {
        let redacted = |text: &str| (self.redact)(start_of(text, MAX_READ_BYTES));
        let (place, what, because) = (redacted(text.place), redacted(text.what), text.because.map(redacted));
        let cause =
            Cause::of(&Text { kind: text.kind, place: &place, what: &what, because: because.as_deref() });
        let error = Error {
            at_ms: occurrence.at_ms,
            count: occurrence.count,
            is_error: occurrence.is_error,
            example: example(&redacted(&shown(occurrence.example))),
            trace_id: occurrence.trace_id,
        };
        let mut guarded = self.lock();
        let noted = guarded.table.observe(cause, &error)?;
        if let Some(key) = key {
            self.show(&mut guarded, key, text, noted, occurrence.at_ms);
        }
        noted.is_news.then_some(noted.id)
    }

    /// Lets later errors of the same cause be counted without the table.
    fn show(&self, guarded: &mut Guarded, key: u64, text: &Text<'_>, noted: Noted, at_ms: u64) {
        // The keys of a flood of texts would fill the slots. All of them are counted by the key of their place.
        let key = if noted.is_other {
            let is_of_place =
                guarded.table.get(noted.id).is_some_and(|other| !other.cause.place().is_empty());
            if !is_of_place && !guarded.table.is_full(text.kind) {
                // Other places have room, and their errors would be counted by this key too.
                return;
            }
            let place = if is_of_place { text.place() } else { "" };
            self.counters.key(&Text::other_of(text.kind, place), &mut String::new())
        } else {
            key
        };
        if let Some(SlotNumber(number)) = self.counters.show(key, at_ms) {
            guarded.owners[number] = Some(noted.id);
        }
    }

    /// Clears what has not been seen for a day, ends silences, and forgets what has been over for a week.
    pub fn tick(&self, now_ms: u64) {
        let mut guarded = self.up_to_date();
        if guarded.table.tick(now_ms) {
            // A problem that is over is news when it comes back, and a place may have room again.
            self.counters.forget_shown();
        }
    }

    /// Mutes a problem until a time. Returns whether there is such a problem.
    pub fn mute(&self, id: ProblemId, until_ms: u64) -> bool {
        self.tell_after(|| self.lock().table.mute(id, until_ms))
    }

    /// Ends the silence of a problem. Returns whether there is such a problem.
    pub fn unmute(&self, id: ProblemId) -> bool {
        self.tell_after(|| self.lock().table.unmute(id))
    }

    /// Returns a problem; `None` if there is none with this number.
    #[must_use]
    pub fn get(&self, id: ProblemId) -> Option<Problem> {
        self.up_to_date().table.get(id)
    }

    /// Returns all problems: open ones first, then the muted, then the cleared; in each the last seen first.
    #[must_use]
    pub fn list(&self) -> Vec<Problem> {
        let mut problems = self.up_to_date().table.all();
        sort(&mut problems);
        problems
    }

    /// Returns the number of open problems of each kind.
    #[must_use]
    pub fn open_by_kind(&self) -> [(Kind, usize); 5] {
        self.up_to_date().table.open_by_kind()
    }

    /// Returns the number of open problems.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open_by_kind().iter().map(|(_, number)| number).sum()
    }

    /// Returns the problems that are new or came back since the last call, except the muted.
    pub fn take_news(&self) -> News {
        let mut guarded = self.up_to_date();
        let ids = std::mem::take(&mut guarded.table.news);
        let more = std::mem::take(&mut guarded.table.more_news);
        let problems = ids.into_iter().filter_map(|id| guarded.table.get(id));
        News { problems: problems.filter(|problem| problem.state == State::Open).collect(), more }
    }

    /// Whether there was a change since the number of changes was asked for.
    pub(super) fn has_told(&self) -> bool {
        self.is_told.load(Ordering::SeqCst)
    }

    /// Returns the number of changes so far. The next one after it is told.
    pub(super) fn changes(&self) -> u64 {
        // Before the counters are taken. See `tell`.
        self.is_told.store(false, Ordering::SeqCst);
        self.up_to_date().table.changes
    }

    /// Takes problems of an earlier run in. Counts of a cause that is known already are added.
    ///
    /// The list is not trusted: texts, times and numbers are brought into their bounds.
    pub fn restore(&self, earlier: Vec<Problem>, now_ms: u64) {
        let mut guarded = self.lock();
        guarded.table.restore(earlier, now_ms);
        // Known causes have slots, so that none of them counts as an unknown one of a place without room.
        for problem in guarded.table.all() {
            let key = self.counters.key_of(&problem.cause);
            if let Some(SlotNumber(number)) = self.counters.reserve(key) {
                guarded.owners[number].get_or_insert(problem.id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock, and adds what was counted without the table.
    fn up_to_date(&self) -> MutexGuard<'_, Guarded> {
        let mut guarded = self.lock();
        let Guarded { table, owners } = &mut *guarded;
        for (number, owner) in owners.iter().enumerate() {
            if let Some(owner) = owner
                && let Some(counted) = self.counters.take(SlotNumber(number))
                && !table.add(*owner, &counted)
            {
                count_lost(table, &counted);
            }
        }
        guarded
    }
}

/// Counts errors whose problem was forgotten while they came.
fn count_lost(table: &mut Table, counted: &Counted) {
    let error = Error {
        at_ms: counted.last_ms,
        count: counted.count,
        is_error: counted.is_error,
        example: Box::default(),
        trace_id: None,
    };
    _ = table.observe(Cause::of(&Text::other("")), &error);
}

/// Orders problems as [`Problems::list`] does.
pub(super) fn sort(problems: &mut [Problem]) {
    let rank = |problem: &Problem| match problem.state {
        State::Open => 0,
        State::Muted { .. } => 1,
        State::Cleared { .. } => 2,
    };
    problems.sort_by_key(|problem| (rank(problem), Reverse(problem.last_seen_ms), problem.id));
}

fn with_scratch(f: impl Fn(&mut String) -> u64) -> u64 {
    // At the end of a thread its buffer is gone, and it is in use if a `Display` logs.
    let done = SCRATCH.try_with(|scratch| scratch.try_borrow_mut().ok().map(|mut scratch| f(&mut scratch)));
    done.ok().flatten().unwrap_or_else(|| f(&mut String::new()))
}

/// Formats the start of a text.
fn shown(text: &dyn fmt::Display) -> String {
    let mut shown = Bounded(String::new());
    // An error of the `Display` ends the text, and a full buffer too.
    let _ = write!(shown, "{text}");
    shown.0
}

struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_READ_BYTES.saturating_sub(self.0.len());
        self.0.push_str(start_of(text, room));
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}
