//! Frames: the context of a scope, and the thread-local that holds the one in force.

use std::cell::{Cell, RefCell};
use std::mem;

use super::tasks;
use crate::record::SpanIndex;
use crate::{Trace, TraceId};

/// Context of a scope.
pub(crate) struct Frame {
    current: Option<Trace>,
    parent: Option<SpanIndex>,
    /// Trace that the first `attach` replaced, with its enclosing span. `detach` brings it back.
    replaced: Option<(Trace, Option<SpanIndex>)>,
    /// A second handle of the current trace for the next span. Consecutive spans take and return it, so they do not
    /// change the reference count.
    spare: Option<Trace>,
    /// Of `current`, so that a change of frames need not look into the trace.
    about: About,
    is_scope: bool,
    /// Number of a frame that a span entered by hand has put in force, by which its end finds it again. 0 for others.
    ticket: u32,
}

/// Position in a trace where the next span goes.
pub(crate) struct Position {
    pub(crate) trace: Trace,
    pub(crate) parent: Option<SpanIndex>,
}

thread_local! {
    /// Of the trace of the frame in force. Read before `FRAME`, because it needs no destructor and so no check.
    static TRACE: Cell<About> = const { Cell::new(About::Nothing) };
    static FRAME: RefCell<Frame> = const { RefCell::new(Frame::NONE) };
}

/// Contents of a frame: no trace, or a trace whose polls are measured or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Nothing,
    Trace,
    WatchedTrace,
}

impl About {
    fn trace(trace: Option<&Trace>) -> About {
        match trace {
            None => About::Nothing,
            Some(trace) if trace.0.is_watched() => About::WatchedTrace,
            Some(_) => About::Trace,
        }
    }
}

/// Returns where the next span goes. `None` if no trace is current, which takes no function call to find out.
#[inline]
pub(crate) fn position() -> Option<Position> {
    if is_bare() { None } else { position_in_force() }
}

// Not inlined, so that a span without a trace costs two loads and a branch at its call site.
#[inline(never)]
fn position_in_force() -> Option<Position> {
    look(Frame::position, |trace| Position { trace, parent: None })
}

pub(super) fn current_id() -> Option<TraceId> {
    look(|frame| frame.current.as_ref().map(Trace::id), |trace| trace.id())
}

/// Returns the task that runs, if the frame in force is a thread's: that frame is not for tasks.
pub(super) fn other_task() -> Option<tasks::Id> {
    with_frame(|frame| frame.other_task()).flatten()
}

pub(super) fn attach(trace: Trace) -> Replaced {
    TRACE.set(About::trace(Some(&trace)));
    with_frame(|frame| frame.attach(trace)).unwrap_or_default()
}

pub(super) fn detach() -> Replaced {
    let detach = |frame: &mut Frame| (frame.detach(), frame.about);
    let (detached, about) = with_frame(detach).unwrap_or((Replaced::default(), About::Nothing));
    TRACE.set(about);
    detached
}

/// Keeps a handle of the current trace for the next span, or drops it.
pub(crate) fn give_back(trace: Trace) {
    let refused = with_frame(|frame| frame.keep_spare(trace));
    // Outside the borrow: the drop of a last handle ends the trace.
    drop(refused);
}

/// Returns the span that encloses the caller, if it is a span of `trace`.
pub(super) fn enclosing_span(trace: &Trace) -> Option<SpanIndex> {
    with_frame(|frame| frame.parent.filter(|_| frame.current.as_ref() == Some(trace))).flatten()
}

/// Returns whether a trace is current.
#[inline]
pub(super) fn has_trace() -> bool {
    !is_bare() && look(|frame| frame.current.is_some().then_some(()), |_| ()).is_some()
}

/// Makes `parent` the parent of the next span of the trace whose record is at this address, and returns the one before.
/// `None` if the frame in force does not belong to that trace.
#[inline]
pub(super) fn nest_in(record: usize, parent: Option<SpanIndex>) -> Option<Option<SpanIndex>> {
    if TRACE.get() == About::Nothing {
        return None;
    }
    let nest = |frame: &mut Frame| match frame.other_task() {
        None => frame.enclosing(record).map(|(_, enclosing)| mem::replace(enclosing, parent)),
        Some(_) => None,
    };
    with_frame(nest).flatten()
}

/// Puts `outer` in the place of `parent`, if that is the enclosing span of this trace in the frame in force.
pub(super) fn unnest_from(record: usize, parent: Option<SpanIndex>, outer: Option<SpanIndex>) {
    with_frame(|frame| frame.unnest(record, parent, outer));
}

/// Puts the parent of `span` in its place, if it is the enclosing span of this trace in the frame in force.
pub(super) fn leave_span(record: usize, span: SpanIndex) {
    with_frame(|frame| {
        if let Some((trace, enclosing)) = frame.enclosing(record)
            && *enclosing == Some(span)
        {
            *enclosing = trace.0.parent_of(span);
        }
    });
}

/// Puts `frame` in force and returns the one before. `None` if the thread is ending.
pub(super) fn put_in_force(mut frame: Frame) -> Option<Frame> {
    swap(&mut frame).then_some(frame)
}

/// Returns the ticket of the frame in force.
pub(super) fn ticket() -> u32 {
    with_frame(|frame| frame.ticket).unwrap_or_default()
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

/// Returns whether certainly no trace is current.
#[inline]
fn is_bare() -> bool {
    TRACE.get() == About::Nothing && !tasks::have_traces()
}

/// Returns whether polls of the trace of the frame in force are measured.
#[cfg(feature = "rt")]
#[inline]
pub(super) fn is_watched() -> bool {
    TRACE.get() == About::WatchedTrace
}

/// Borrows the frame in force. `None` if the thread is ending.
///
/// `f` must not run a user's code nor drop a trace: both may come back here while the frame is borrowed.
#[inline]
fn with_frame<R>(f: impl FnOnce(&mut Frame) -> R) -> Option<R> {
    FRAME.try_with(|frame| frame.try_borrow_mut().ok().map(|mut frame| f(&mut frame))).ok().flatten()
}

/// Handles that a frame gave up, to be dropped where it is not borrowed.
#[derive(Default)]
pub(super) struct Replaced {
    pub(super) current: Option<Trace>,
    #[expect(dead_code, reason = "held to be dropped")]
    spare: Option<Trace>,
}

impl Frame {
    const NONE: Frame = Frame {
        current: None,
        parent: None,
        replaced: None,
        spare: None,
        about: About::Nothing,
        is_scope: false,
        ticket: 0,
    };

    /// Returns the frame of a scope that begins at `position`.
    pub(crate) fn at(position: Option<Position>) -> Frame {
        let (current, parent) = position.map_or((None, None), |at| (Some(at.trace), at.parent));
        Frame { about: About::trace(current.as_ref()), current, parent, is_scope: true, ..Frame::NONE }
    }

    /// Returns the frame of a span that is entered by hand where its trace is not current.
    pub(super) fn with_ticket(position: Position, ticket: u32) -> Frame {
        Frame { ticket, ..Frame::at(Some(position)) }
    }

    pub(super) fn has_ticket(&self, ticket: u32) -> bool {
        self.ticket == ticket
    }

    /// Puts `outer` in the place of `parent`, if that is the enclosing span of this trace.
    pub(super) fn unnest(&mut self, record: usize, parent: Option<SpanIndex>, outer: Option<SpanIndex>) {
        if let Some((_, enclosing)) = self.enclosing(record)
            && *enclosing == parent
        {
            *enclosing = outer;
        }
    }

    /// Runs `f` with this frame in force. Traces that `f` attaches or detaches change this frame.
    #[inline]
    pub(crate) fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(self);
        f()
    }

    #[inline]
    fn other_task(&self) -> Option<tasks::Id> {
        if self.is_scope { None } else { tasks::current() }
    }

    fn position(&mut self) -> Option<Position> {
        // Taking the spare handle costs a move, cloning the current one a locked instruction.
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
        self.about = About::trace(Some(&trace));
        let current = self.current.replace(trace);
        let parent = self.parent.take();
        match current {
            // Only the first replaced trace comes back. A second `attach` without `detach` leaves the one between.
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
        self.about = About::trace(current.as_ref());
        Replaced { spare: self.spare.take(), current: mem::replace(&mut self.current, current) }
    }

    /// Changes the parent of the next span of `trace` and returns the one before. `None` if the frame has another trace.
    #[inline]
    fn nest(&mut self, trace: &Trace, parent: Option<SpanIndex>) -> Option<Option<SpanIndex>> {
        let (_, enclosing) = self.enclosing(trace.address())?;
        Some(mem::replace(enclosing, parent))
    }

    /// Returns the trace whose record is at this address, if the frame has it.
    pub(super) fn holds(&mut self, record: usize) -> Option<&Trace> {
        self.enclosing(record).map(|(trace, _)| trace)
    }

    /// Returns the trace whose record is at this address, and its enclosing span. `None` if the frame has another trace.
    ///
    /// The trace may be current, or the one that `detach` will bring back.
    #[inline]
    fn enclosing(&mut self, record: usize) -> Option<(&Trace, &mut Option<SpanIndex>)> {
        if let Some(current) = &self.current
            && current.address() == record
        {
            return Some((current, &mut self.parent));
        }
        let (replaced, outer) = self.replaced.as_mut()?;
        (replaced.address() == record).then_some((&*replaced, outer))
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
    let about = frame.about;
    let is_swapped = with_frame(|current| mem::swap(current, frame)).is_some();
    // Kept in step with `FRAME`, because `is_bare` reads it alone.
    if is_swapped {
        TRACE.set(about);
    }
    is_swapped
}

/// Runs `f` inside a span: spans that `f` begins are children of `parent`.
///
/// If the span's trace is current, only the parent changes, so that `attach` and `detach` in `f` still mean the
/// enclosing scope. Elsewhere, such as in a future that was moved to another task, the span becomes a scope. Its frame is
/// kept in `moved` from one poll to the next.
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
    // Spans of an ended trace are not kept, so its frame would be of no use.
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
    /// `None` if the frame in force does not belong to the trace.
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
