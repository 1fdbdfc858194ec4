//! A test's own place for lines.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use log::Record;

use crate::api::secret::Redactor;
use crate::backtrace::{self, Draft, Unresolved};
use crate::clock::Clock;
use crate::config::REDACTED_FIELDS;
use crate::dispatch;
use crate::dispatch::thread;
use crate::sync::lock;

/// Scopes that are open in all threads. While there are none, a line costs one relaxed load for this.
static OPEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static ENTERED: RefCell<Vec<Capture>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the lines of a test, so that it can look at them; nothing of it is global.
///
/// While it is entered on a thread, all lines of that thread, of every level, go there and not to the files. Needs no
/// [`configure`](crate::configure).
///
/// ```
/// let capture = obs_log::Capture::new();
/// {
///     let _scope = capture.enter();
///     obs_log::info!(peers = 3; "joined");
/// }
/// let lines = capture.lines();
/// assert_eq!(lines[0]["msg"], "joined");
/// assert_eq!(lines[0]["peers"], 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Capture {
    lines: Arc<Mutex<Vec<Kept>>>,
}

/// A line, newline included.
#[derive(Debug)]
struct Kept {
    line: Vec<u8>,
    draft: Option<Draft>,
}

impl Kept {
    /// The line without its newline. Symbols of a backtrace are looked up the first time.
    fn text(&mut self) -> String {
        if let Some(draft) = self.draft.take() {
            self.line = draft.complete(&self.line);
        }
        String::from_utf8_lossy(&self.line).trim_end().to_owned()
    }
}

/// Ends, when dropped, what [`Capture::enter`] began.
///
/// ```
/// let capture = obs_log::Capture::new();
/// let scope = capture.enter();
/// obs_log::warn!("seen");
/// drop(scope);
/// obs_log::warn!("not seen");
/// assert_eq!(capture.lines().len(), 1);
/// ```
#[derive(Debug)]
#[must_use = "lines are captured until the scope is dropped"]
pub struct CaptureScope {
    capture: Capture,
    /// A scope belongs to its thread.
    thread: PhantomData<*const ()>,
}

impl Capture {
    /// An empty capture.
    #[must_use]
    pub fn new() -> Capture {
        Capture::default()
    }

    /// Sends this thread's lines here until the scope is dropped. Scopes nest: the innermost gets the lines.
    pub fn enter(&self) -> CaptureScope {
        // If another logger is installed, lines without a `logger:` go there; ours still come here.
        let _ = dispatch::install();
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(self.clone()));
        OPEN.fetch_add(1, Ordering::Relaxed);
        dispatch::refresh_max_level();
        CaptureScope { capture: self.clone(), thread: PhantomData }
    }

    /// The lines so far, parsed, in the order they were made.
    ///
    /// # Panics
    ///
    /// If a line is not JSON, which would be a defect of this crate.
    #[must_use]
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &mut Kept| serde_json::from_str(&line.text()).expect("a line is JSON");
        lock(&self.lines).iter_mut().map(parse).collect()
    }

    /// The lines so far as they would stand in a file, without their newlines.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        lock(&self.lines).iter_mut().map(Kept::text).collect()
    }
}

impl Drop for CaptureScope {
    fn drop(&mut self) {
        // By identity and not by place, so that scopes may end in any order.
        let same = |entered: &Capture| Arc::ptr_eq(&entered.lines, &self.capture.lines);
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            entered.iter().rposition(same).map(|at| entered.remove(at))
        });
        OPEN.fetch_sub(1, Ordering::Relaxed);
        dispatch::refresh_max_level();
    }
}

#[inline]
pub(crate) fn any() -> bool {
    OPEN.load(Ordering::Relaxed) != 0
}

/// Whether this thread is inside a scope.
pub(crate) fn entered() -> bool {
    ENTERED.try_with(|entered| !entered.borrow().is_empty()).unwrap_or(false)
}

/// Keeps the record's line if this thread is inside a scope.
pub(crate) fn take(name: &str, record: &Record<'_>, trace: Option<&Arc<Unresolved>>) -> bool {
    let innermost = ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten();
    let Some(capture) = innermost else { return false };
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
    lock(&capture.lines).extend(encoded.map(|(line, draft)| Kept { line, draft }));
    true
}
