//! Capture of the lines of a test.

use std::marker::PhantomData;

use crate::dispatch;
use crate::dispatch::capture::CapturedLines;

/// Capture of the lines of a test. Nothing of it is global.
///
/// While a thread is inside a scope of the capture, all its lines, of every level, go to the capture and not to the files.
/// [`configure`](crate::configure) is not needed.
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
    lines: CapturedLines,
}

/// Scope of a [`Capture`] on a thread. Ends when it is dropped, in any order with other scopes.
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
    lines: CapturedLines,
    /// Makes the scope stay on its thread.
    thread: PhantomData<*const ()>,
}

impl Capture {
    /// Returns an empty capture.
    #[must_use]
    pub fn new() -> Capture {
        Capture::default()
    }

    /// Captures this thread's lines until the scope is dropped. Scopes nest: the innermost gets the lines.
    pub fn enter(&self) -> CaptureScope {
        // If another logger is installed, lines without a `logger:` go there. Those of our loggers are still captured.
        let _ = dispatch::install();
        let is_first = self.lines.enter();
        dispatch::capture_changed(is_first);
        CaptureScope { lines: self.lines.clone(), thread: PhantomData }
    }

    /// Returns the lines so far, parsed, in the order they were made.
    ///
    /// # Panics
    ///
    /// Panics if a line is not JSON, which would be a defect of this crate.
    #[must_use]
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &String| serde_json::from_str(line).expect("a line is JSON");
        self.text().iter().map(parse).collect()
    }

    /// Returns the lines so far as they would stand in a file, without their newlines.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        self.lines.text()
    }
}

impl Drop for CaptureScope {
    fn drop(&mut self) {
        self.lines.leave();
        dispatch::capture_changed(false);
    }
}
