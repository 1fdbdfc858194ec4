//! Which trace is current, and which of its spans encloses what is done now (T2).
//!
//! Every scope has a [`Frame`], and so has every thread for what it does outside all scopes. The
//! frame in force lies in a thread-local; a future that is a scope keeps its own and swaps it in for
//! each poll. A tokio task outside all scopes has its trace in [`tasks`] and never sees its thread's.

pub(crate) mod scope;
#[cfg(feature = "rt")]
pub(crate) mod spawn;
mod tasks;

use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::Arc;

use crate::record::slots::SpanIndex;
use crate::{Trace, TraceId, TraceRecord};

/// What a scope knows.
pub(crate) struct Frame {
    current: Option<Trace>,
    parent: Option<SpanIndex>,
    /// What the first `attach` replaced, to come back at `detach`.
    replaced: Option<(Trace, Option<SpanIndex>)>,
    /// A second handle of the current trace for the next span, so that spans one after the other
    /// do without counting references.
    spare: Option<Trace>,
    is_scope: bool,
}

/// A place in a trace: where the next span goes.
pub(crate) struct Position {
    pub(crate) trace: Trace,
    pub(crate) parent: Option<SpanIndex>,
}

thread_local! {
    /// Whether the frame in force has a trace; read first, because it needs no destructor.
    static HAS_TRACE: Cell<bool> = const { Cell::new(false) };
    static FRAME: RefCell<Frame> = const { RefCell::new(Frame::NONE) };
    /// The trace whose `done` line is being logged.
    static ENDING: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// The trace that is current here: that of the enclosing scope, or else of the task or the thread (spec §5.1).
///
/// ```
/// assert!(obs_trace::current_trace().is_none());
/// let trace = obs_trace::new_trace("llm.chat");
/// trace.enter(|| assert_eq!(obs_trace::current_trace().unwrap().id(), trace.id()));
/// # trace.finish();
/// ```
pub fn current_trace() -> Option<Trace> {
    position().map(|at| at.trace)
}

/// Makes `trace` the current one of the enclosing scope, or outside any scope of the task or the thread (spec §5.1).
///
/// [`detach`] ends it and brings back the trace that was current before, if any. Two `attach` without
/// a `detach` between them leave the first one to its other owners; if there is none, it ends as
/// `cancelled`, as it does when the scope or thread ends without a `detach`. A task outside all scopes that ends
/// without one leaves its trace behind, running: that of the last 4 096 such tasks; beyond them the oldest ends. Where a
/// task may end early, [`Trace::scope`] is the better choice.
///
/// ```
/// obs_trace::attach(obs_trace::new_trace("llm.chat"));
/// obs_trace::in_span("forward", || {});
/// let record = obs_trace::detach().unwrap();
/// assert_eq!(record.spans()[0].name(), "forward");
/// assert!(obs_trace::current_trace().is_none());
/// ```
pub fn attach(trace: Trace) {
    let replaced = match with_frame(|frame| frame.other_task()).flatten() {
        Some(task) => Replaced { current: tasks::attach(task, trace), spare: None },
        None => {
            HAS_TRACE.set(true);
            with_frame(|frame| frame.attach(trace)).unwrap_or_default()
        }
    };
    drop(replaced);
}

/// Ends the current trace: records it, logs `done`, and makes the one before it current again (spec §5.1).
///
/// Its status is `ok`, or what [`Trace::fail`] has set. `None` if no trace is current or somebody
/// else has ended it.
///
/// ```
/// assert!(obs_trace::detach().is_none());
/// ```
pub fn detach() -> Option<Arc<TraceRecord>> {
    let detached = match with_frame(|frame| frame.other_task()).flatten() {
        Some(task) => Replaced { current: tasks::detach(task), spare: None },
        None => {
            let (detached, has_trace) =
                with_frame(|frame| (frame.detach(), frame.current.is_some())).unwrap_or_default();
            HAS_TRACE.set(has_trace);
            detached
        }
    };
    detached.current.and_then(|trace| trace.finish())
}

/// Calls `f` with the text of the current trace's ID, if a trace is current.
///
/// For log lines and exemplars (T9). Also during the `done` line of a trace, with the ID of that trace.
///
/// ```
/// let mut id = None;
/// let trace = obs_trace::new_trace("llm.chat");
/// trace.enter(|| obs_trace::with_current_id(&mut |text| id = Some(text.to_owned())));
/// assert_eq!(id, Some(trace.id().to_string()));
/// # trace.finish();
/// ```
pub fn with_current_id(f: &mut dyn FnMut(&str)) {
    let id = ENDING.get().or_else(|| look(|frame| frame.current.as_ref().map(Trace::id), |trace| trace.id()));
    if let Some(id) = id {
        f(std::str::from_utf8(&id.to_text()).unwrap_or_default());
    }
}

/// Runs `f` while `id` is the one of every line that is logged.
pub(crate) fn while_ending<R>(id: TraceId, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<TraceId>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ENDING.set(self.0);
        }
    }
    let _restore = Restore(ENDING.replace(Some(id)));
    f()
}

/// Where the next span goes; `None` if no trace is current, which is found out without a call.
#[inline]
pub(crate) fn position() -> Option<Position> {
    if is_bare() { None } else { position_in_force() }
}

#[inline(never)]
fn position_in_force() -> Option<Position> {
    look(Frame::position, |trace| Position { trace, parent: None })
}

/// Keeps a handle of the current trace for the next span, or drops it.
pub(crate) fn give_back(trace: Trace) {
    let refused = with_frame(|frame| frame.keep_spare(trace));
    drop(refused);
}

/// Looks into the frame in force, or at the trace of the task that the frame is not for.
fn look<R>(in_frame: impl FnOnce(&mut Frame) -> Option<R>, in_task: impl FnOnce(Trace) -> R) -> Option<R> {
    if is_bare() {
        return None;
    }
    let found = with_frame(|frame| match frame.other_task() {
        None => Ok(in_frame(frame)),
        Some(task) => Err(task),
    });
    match found? {
        Ok(found) => found,
        Err(task) => tasks::trace(task).map(in_task),
    }
}

/// Whether certainly no trace is current.
#[inline]
fn is_bare() -> bool {
    !HAS_TRACE.get() && !tasks::have_traces()
}

/// `f` must not run code of users nor drop a trace: both may come back here. `None` if the thread is ending.
#[inline]
fn with_frame<R>(f: impl FnOnce(&mut Frame) -> R) -> Option<R> {
    FRAME.try_with(|frame| frame.try_borrow_mut().ok().map(|mut frame| f(&mut frame))).ok().flatten()
}

/// Handles that a frame gave up, to be dropped where it is not borrowed.
#[derive(Default)]
struct Replaced {
    current: Option<Trace>,
    #[expect(dead_code, reason = "held to be dropped")]
    spare: Option<Trace>,
}

impl Frame {
    const NONE: Frame = Frame { current: None, parent: None, replaced: None, spare: None, is_scope: false };

    /// The frame of a scope that begins at `position`.
    pub(crate) fn at(position: Option<Position>) -> Frame {
        let (current, parent) = position.map_or((None, None), |at| (Some(at.trace), at.parent));
        Frame { current, parent, is_scope: true, ..Frame::NONE }
    }

    /// Runs `f` with this frame in force. What `f` attaches or detaches stays in the frame.
    #[inline]
    pub(crate) fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(self);
        f()
    }

    /// The task that asks and that the frame is not for: that of a thread is not for tasks.
    #[inline]
    fn other_task(&self) -> Option<tasks::Id> {
        if self.is_scope { None } else { tasks::current() }
    }

    fn position(&mut self) -> Option<Position> {
        let trace = self.spare.take().or_else(|| self.current.clone())?;
        Some(Position { trace, parent: self.parent })
    }

    fn keep_spare(&mut self, trace: Trace) -> Option<Trace> {
        if self.spare.is_none() && self.current.as_ref() == Some(&trace) {
            self.spare = Some(trace);
            return None;
        }
        Some(trace)
    }

    fn attach(&mut self, trace: Trace) -> Replaced {
        let spare = self.spare.take();
        let current = self.current.replace(trace);
        let parent = self.parent.take();
        match current {
            Some(current) if self.replaced.is_none() && !current.is_ended() => {
                self.replaced = Some((current, parent));
                Replaced { current: None, spare }
            }
            current => Replaced { current, spare },
        }
    }

    fn detach(&mut self) -> Replaced {
        let (current, parent) = self.replaced.take().unzip();
        self.parent = parent.flatten();
        Replaced { spare: self.spare.take(), current: mem::replace(&mut self.current, current) }
    }
}

/// Puts the frame before back when it is dropped, also while unwinding.
struct Entered<'a> {
    frame: &'a mut Frame,
    is_swapped: bool,
}

impl<'a> Entered<'a> {
    #[inline]
    fn new(frame: &'a mut Frame) -> Entered<'a> {
        let is_swapped = swap(frame);
        Entered { frame, is_swapped }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.is_swapped {
            swap(self.frame);
        }
    }
}

#[inline]
fn swap(frame: &mut Frame) -> bool {
    let has_trace = frame.current.is_some();
    let is_swapped = with_frame(|current| mem::swap(current, frame)).is_some();
    if is_swapped {
        HAS_TRACE.set(has_trace);
    }
    is_swapped
}

/// Runs `f` inside a span: what `f` begins are children of `parent`.
///
/// Where the span's trace is current, only the parent changes, so that `attach` and `detach` in `f`
/// still mean the enclosing scope. Elsewhere (a future that was moved to another task) the span
/// becomes a scope, kept in `moved` from one poll to the next.
#[inline]
pub(crate) fn within<R>(
    trace: &Trace,
    parent: Option<SpanIndex>,
    moved: &mut Option<Box<Frame>>,
    f: impl FnOnce() -> R,
) -> R {
    if let Some(frame) = moved {
        return frame.enter(f);
    }
    if let Some(_restore) = Nested::new(trace, parent) {
        return f();
    }
    if trace.is_ended() {
        return f();
    }
    let here = Position { trace: trace.clone(), parent };
    moved.insert(Box::new(Frame::at(Some(here)))).enter(f)
}

/// Puts the enclosing span back when it is dropped, also while unwinding.
struct Nested<'a> {
    trace: &'a Trace,
    outer: Option<SpanIndex>,
}

impl<'a> Nested<'a> {
    /// `None` if the frame in force is none of the trace.
    #[inline]
    fn new(trace: &'a Trace, parent: Option<SpanIndex>) -> Option<Nested<'a>> {
        let nest = |frame: &mut Frame| match frame.other_task() {
            None => frame.nest(trace, parent),
            Some(_) => None,
        };
        let outer = with_frame(nest).flatten()?;
        Some(Nested { trace, outer })
    }
}

impl Drop for Nested<'_> {
    #[inline]
    fn drop(&mut self) {
        with_frame(|frame| frame.nest(self.trace, self.outer));
    }
}

impl Frame {
    /// Changes the parent of what comes next in `trace` and gives the one before, if this is a frame
    /// of that trace: it is current, or will be after a `detach`.
    fn nest(&mut self, trace: &Trace, parent: Option<SpanIndex>) -> Option<Option<SpanIndex>> {
        if self.current.as_ref() == Some(trace) {
            return Some(mem::replace(&mut self.parent, parent));
        }
        let (replaced, outer) = self.replaced.as_mut()?;
        (replaced == trace).then(|| mem::replace(outer, parent))
    }
}

/// Marks the span that encloses the caller as failed, if it is one of `trace`.
pub(crate) fn enclosing_span(trace: &Trace) -> Option<SpanIndex> {
    with_frame(|frame| frame.parent.filter(|_| frame.current.as_ref() == Some(trace))).flatten()
}
