//! Spans that are entered and left by hand.

use super::builder::SpanBuilder;
use super::guard::Span;
use super::outgoing::Outgoing;
use crate::context::{self, Mark, Position};
use crate::record::SpanIndex;
use crate::{IntoValue, SpanId, Trace};

/// A span that has begun, and that threads enter and leave by hand. Made by [`SpanBuilder::manual`].
///
/// For code that cannot be a closure or a future, such as callbacks of a framework. While a thread has entered the span,
/// it encloses what the thread does: new spans are its children, log lines carry the ID of its trace, and
/// [`outgoing`](crate::outgoing) makes headers for it. Threads may enter it often, several at once, and leave their spans
/// in any order. The span ends when it is dropped, on any thread.
///
/// Where the span's trace is not current, the span becomes a scope until it is left: traces that are attached meanwhile
/// belong to that scope. A future must leave the span before it returns `Pending`, or else the span encloses other tasks.
///
/// ```
/// let trace = obs_trace::new_trace("rag.index");
/// let import = trace.enter(|| obs_trace::span("import").manual());
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         import.enter();
///         obs_trace::in_span("read", || {});
///         import.exit();
///     });
/// });
/// drop(import);
/// let spans = trace.finish().unwrap().spans();
/// assert_eq!((spans[0].name(), spans[1].name()), ("import", "read"));
/// assert_eq!(spans[1].parent(), Some(0));
/// ```
#[derive(Debug)]
#[must_use = "the span ends when it is dropped"]
pub struct ManualSpan(Span);

impl SpanBuilder {
    /// Begins the span, to be entered and left by hand. It ends when the returned handle is dropped.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// let span = trace.enter(|| obs_trace::span("stream").manual());
    /// span.enter();
    /// assert_eq!(obs_trace::current_trace().as_ref(), Some(&trace));
    /// span.exit();
    /// assert!(obs_trace::current_trace().is_none());
    /// # drop(span);
    /// # trace.finish();
    /// ```
    #[inline]
    pub fn manual(self) -> ManualSpan {
        ManualSpan(self.enter())
    }

    /// Returns whether the span has a trace.
    ///
    /// ```
    /// assert!(!obs_trace::span("search").has_trace());
    /// # obs_trace::span("search").run(|| {});
    /// ```
    pub fn has_trace(&self) -> bool {
        self.at.is_some()
    }
}

impl ManualSpan {
    /// Returns a handle of the trace itself in the form of a span: a thread that enters it has the trace as the current
    /// one, without an enclosing span. It is not recorded, and its drop does not end the trace.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("rag.index");
    /// let top = obs_trace::ManualSpan::top(trace.clone());
    /// top.enter();
    /// obs_trace::in_span("read", || {});
    /// top.exit();
    /// assert_eq!(trace.finish().unwrap().span_count(), 1);
    /// ```
    pub fn top(trace: Trace) -> ManualSpan {
        ManualSpan(Span::top(trace))
    }

    /// Makes the span the enclosing one of this thread until it is [left](ManualSpan::exit).
    ///
    /// Has no effect without a trace, nor once the trace has ended and is not current.
    pub fn enter(&self) {
        if let (Some(mark), Some(trace)) = (self.mark(), self.trace()) {
            mark.enter_in(trace);
        }
    }

    /// Leaves the span on this thread. Has no effect if the thread has not entered it.
    pub fn exit(&self) {
        if let Some(mark) = self.mark() {
            mark.exit();
        }
    }

    /// Prepares a span under this one, whatever trace is current here.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("rag.index");
    /// let import = trace.enter(|| obs_trace::span("import").manual());
    /// import.child("read").run(|| {});
    /// drop(import);
    /// assert_eq!(trace.finish().unwrap().spans()[1].parent(), Some(0));
    /// ```
    pub fn child(&self, name: &'static str) -> SpanBuilder {
        let at = self.0.position().map(|(trace, _, parent)| Position { trace: trace.clone(), parent });
        SpanBuilder { at, name, fields: None }
    }

    /// Returns the position of the span. `None` without a trace.
    #[inline]
    pub fn mark(&self) -> Option<SpanMark> {
        let (trace, index, parent) = self.0.position()?;
        Some(SpanMark(Mark { record: trace.address(), tag: 0, index, parent }))
    }

    /// Sets a field. The last value under a key counts. Has no effect once the trace has ended.
    pub fn set_field<How>(&self, key: &'static str, value: impl IntoValue<How>) {
        self.0.set_field(key, value);
    }

    /// Marks the span as failed: sets the field `error`. The trace may still end as `ok`.
    pub fn fail(&self, code: &str) {
        self.0.fail(code);
    }

    /// Returns the headers of a call that is made on behalf of this span. See [`Span::outgoing`].
    pub fn outgoing(&self) -> Option<Outgoing> {
        self.0.outgoing()
    }

    /// Returns whether the span belongs to a trace and is kept.
    pub fn is_kept(&self) -> bool {
        self.0.is_kept()
    }

    /// Returns the trace of the span.
    pub fn trace(&self) -> Option<&Trace> {
        self.0.trace()
    }

    /// Returns the ID that other systems know the span by. `None` if it is not kept.
    pub fn span_id(&self) -> Option<SpanId> {
        let (trace, index, _) = self.0.position()?;
        index.map(|index| trace.0.span_id_of(Some(index)))
    }
}

impl Drop for ManualSpan {
    #[inline]
    fn drop(&mut self) {
        // A closed span must not stay the parent of what this thread does next.
        if let Some(mark) = self.mark() {
            context::exit_closed(mark.0);
        }
    }
}

/// Position of a [`ManualSpan`] as two numbers, for a table of spans that is read without a lock.
///
/// It keeps neither the span nor the trace alive. Once they are gone it has no effect.
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// trace.enter(|| {
///     let span = obs_trace::span("forward").manual();
///     let words = span.mark().unwrap().to_words();
///     let mark = obs_trace::SpanMark::from_words(words);
///     assert!(mark.enter());
///     obs_trace::in_span("connect", || {});
///     mark.exit();
/// });
/// assert_eq!(trace.finish().unwrap().spans()[1].parent(), Some(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanMark(Mark);

impl SpanMark {
    /// Makes the span the enclosing one of this thread, if its trace is current. Returns whether it is.
    #[inline]
    pub fn enter(self) -> bool {
        context::enter(self.0)
    }

    /// Makes the span the enclosing one of this thread, and `trace` the current one. See [`ManualSpan::enter`].
    ///
    /// Has no effect if the span belongs to another trace.
    pub fn enter_in(self, trace: &Trace) {
        context::enter_in(self.0, trace);
    }

    /// Leaves the span on this thread. See [`ManualSpan::exit`].
    #[inline]
    pub fn exit(self) {
        context::exit(self.0);
    }

    /// Returns the same position with a number by which the caller knows the span. Not 0.
    ///
    /// A span that was entered with a tag is left with it: by the same position with the tag, or by the tag alone.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// trace.enter(|| {
    ///     let span = obs_trace::span("forward").manual();
    ///     span.mark().unwrap().tagged(7).enter();
    ///     assert_eq!(obs_trace::SpanMark::last_tag(|_| true), Some(7));
    ///     assert!(obs_trace::SpanMark::exit_tag(7));
    ///     assert_eq!(obs_trace::SpanMark::last_tag(|_| true), None);
    /// });
    /// # trace.finish();
    /// ```
    #[inline]
    pub fn tagged(self, tag: u64) -> SpanMark {
        SpanMark(Mark { tag, ..self.0 })
    }

    /// Leaves the span that this thread has entered last with this [tag](SpanMark::tagged). Returns whether there is one.
    #[inline]
    pub fn exit_tag(tag: u64) -> bool {
        context::exit_tag(tag)
    }

    /// Returns the [tag](SpanMark::tagged) that this thread has entered last, of those that `accept` accepts.
    ///
    /// `accept` must not enter or leave spans: they are not changed while it runs.
    pub fn last_tag(accept: impl FnMut(u64) -> bool) -> Option<u64> {
        context::last_tag(accept)
    }

    /// Returns the position as two numbers, without its tag.
    #[inline]
    pub fn to_words(self) -> [u64; 2] {
        let Mark { record, index, parent, .. } = self.0;
        let spans = [SpanIndex::to_byte(index), SpanIndex::to_byte(parent)];
        [record as u64, u64::from(u16::from_le_bytes(spans))]
    }

    /// Returns the position that [`to_words`](SpanMark::to_words) made these numbers of. Other numbers are the position of
    /// no span.
    #[inline]
    pub fn from_words([record, spans]: [u64; 2]) -> SpanMark {
        let [index, parent, ..] = spans.to_le_bytes().map(SpanIndex::of_checked_byte);
        SpanMark(Mark { record: record as usize, tag: 0, index, parent })
    }
}
