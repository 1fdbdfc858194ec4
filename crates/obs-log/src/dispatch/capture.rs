//! Scopes in which the lines of a thread go to a test instead of the sinks.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use log::Record;

use crate::backtrace::{self, Draft, Unresolved};
use crate::clock::Clock;
use crate::config::REDACTED_FIELDS;
use crate::config::redactor::Redactor;
use crate::dispatch::rate_table::RateTable;
use crate::dispatch::thread;
use crate::sync::lock;

/// Number of open scopes of all threads. While it is 0, a line costs one relaxed load for this.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Whether there has been a scope in this process.
static USED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static ENTERED: RefCell<Vec<CapturedLines>> = const { RefCell::new(Vec::new()) };
}

/// Captured lines, shared by the scopes of a capture.
#[derive(Clone, Debug, Default)]
pub(crate) struct CapturedLines(Arc<Captured>);

/// Contents of a capture.
#[derive(Debug, Default)]
struct Captured {
    lines: Mutex<Vec<Line>>,
    /// Of its own, so that a test's lines pass whatever other tests have logged from the same place.
    rates: RateTable,
}

/// Line with its newline.
#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    draft: Option<Draft>,
}

impl Line {
    /// Returns the line without its newline. The first call looks up the symbols of a backtrace.
    fn text(&mut self) -> String {
        if let Some(draft) = self.draft.take() {
            self.bytes = draft.complete(&self.bytes);
        }
        String::from_utf8_lossy(&self.bytes).trim_end().to_owned()
    }
}

impl CapturedLines {
    /// Opens a scope on this thread. Scopes nest: the innermost gets the lines. Returns whether it is the first of the process.
    pub(crate) fn enter(&self) -> bool {
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(self.clone()));
        // Relaxed: the scope belongs to this thread, which sees its own store.
        OPEN.fetch_add(1, Ordering::Relaxed);
        // Read first, because tests of many threads would write to the same cache line.
        !was_used() && !USED.swap(true, Ordering::Relaxed)
    }

    /// Closes the innermost scope of these lines on this thread.
    pub(crate) fn leave(&self) {
        // By identity and not by position, so that scopes may end in any order.
        let same = |entered: &CapturedLines| Arc::ptr_eq(&entered.0, &self.0);
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            entered.iter().rposition(same).map(|at| entered.remove(at))
        });
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the lines without their newlines.
    pub(crate) fn text(&self) -> Vec<String> {
        lock(&self.0.lines).iter_mut().map(Line::text).collect()
    }

    /// Returns the rate limits of this capture.
    pub(crate) fn rates(&self) -> &RateTable {
        &self.0.rates
    }
}

/// Whether any thread has an open scope.
#[inline]
pub(crate) fn any() -> bool {
    // Relaxed: a thread sees its own stores, and scopes of other threads do not concern it.
    OPEN.load(Ordering::Relaxed) != 0
}

/// Whether there has been a scope in this process.
pub(crate) fn was_used() -> bool {
    // Relaxed: a thread sees its own store. Another one is told by the function that is called after a change of levels.
    USED.load(Ordering::Relaxed)
}

/// Whether this thread has an open scope.
pub(crate) fn entered() -> bool {
    ENTERED.try_with(|entered| !entered.borrow().is_empty()).unwrap_or(false)
}

/// Returns the capture whose scope is the innermost of this thread.
pub(crate) fn innermost() -> Option<CapturedLines> {
    ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten()
}

/// Keeps the record's line if this thread has an open scope. Returns whether it has.
pub(crate) fn take(name: &str, record: &Record<'_>, trace: Option<&Arc<Unresolved>>) -> bool {
    let Some(lines) = innermost() else { return false };
    static REDACT: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&REDACTED_FIELDS.map(str::to_owned)));
    let nanos = Clock::System.now();
    let encoded = thread::with(|local| {
        let encoder = &mut local.encoder;
        let name = encoder.names.find(name);
        match trace {
            None => encoder.encode_as(name, nanos, record, &REDACT).map(|line| (line.to_vec(), None)),
            Some(trace) => backtrace::encode(encoder, name, nanos, record, &REDACT, trace),
        }
    });
    lock(&lines.0.lines).extend(encoded.map(|(bytes, draft)| Line { bytes, draft }));
    true
}
