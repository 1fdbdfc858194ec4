//! Spans that have begun.

use smol_str::SmolStr;

use super::outgoing::Outgoing;
use super::prepared::Fields;
use crate::context::{self, Position};
use crate::record::{CANCELLED, ERROR_FIELD, SpanIndex};
use crate::{IntoValue, Trace, Value};

/// Guard of a span that has begun. The span ends when the guard is dropped. See
/// [`SpanBuilder::enter`](crate::SpanBuilder::enter).
///
/// ```
/// fn is_send<T: Send>(_: T) {}
/// is_send(obs_trace::span("search").enter());
/// ```
#[must_use = "the span ends when the guard is dropped"]
pub struct Span {
    inner: Option<Inner>,
}

/// Two words, so that it is passed in registers when a span begins and ends.
struct Inner {
    trace: Trace,
    position: Packed,
}

/// Index of a span, index of its children's parent, and whether it began while the thread was unwinding or dropped a future.
/// One byte each.
#[derive(Clone, Copy)]
struct Packed(u32);

impl Packed {
    fn new(index: Option<SpanIndex>, outer: Option<SpanIndex>) -> Packed {
        let unwinding = u8::from(std::thread::panicking());
        let dropping = u8::from(context::is_cancelled());
        let bytes = [SpanIndex::to_byte(index), SpanIndex::to_byte(index.or(outer)), unwinding, dropping];
        Packed(u32::from_le_bytes(bytes))
    }

    /// Returns the index of the span. `None` if it was not kept.
    fn index(self) -> Option<SpanIndex> {
        SpanIndex::of_byte(self.0 as u8)
    }

    /// Returns the parent of the span's children: the span itself or, if it was not kept, its own parent.
    fn parent(self) -> Option<SpanIndex> {
        SpanIndex::of_byte((self.0 >> 8) as u8)
    }

    fn began_unwinding(self) -> bool {
        self.0 >> 16 & 0xff != 0
    }

    /// Returns whether a destructor of a dropped future began the span. Then the span itself is not cancelled by it.
    fn began_dropping(self) -> bool {
        self.0 >> 24 != 0
    }
}

impl Inner {
    // Not inlined: the call sites of spans are many, and a call costs a nanosecond.
    #[inline(never)]
    fn begin(at: Position, name: &'static str, fields: Option<Box<Fields>>) -> Inner {
        let Position { trace, parent } = at;
        let index = trace.0.begin_span(name, parent);
        let inner = Inner { trace, position: Packed::new(index, parent) };
        if let Some(fields) = fields {
            inner.set_fields(*fields);
        }
        inner
    }

    // Not inlined: most spans have no fields.
    #[inline(never)]
    fn set_fields(&self, fields: Fields) {
        fields.into_iter().for_each(|(key, value)| self.set_field(key, value));
    }

    fn set_field(&self, key: &'static str, value: Value) {
        if let Some(index) = self.position.index() {
            self.trace.0.set_field(index, key, value);
        }
    }

    // Not inlined: as `begin`.
    #[inline(never)]
    fn end(self) {
        if let Some(index) = self.position.index() {
            // A span that a destructor begins while the thread unwinds has not failed itself.
            if std::thread::panicking() && !self.position.began_unwinding() {
                self.set_field(ERROR_FIELD, "panic".into());
            } else if context::is_cancelled() && !self.position.began_dropping() {
                self.trace.0.fail_span(index, CANCELLED);
            }
            self.trace.0.close_span(index);
        }
        // The next span takes this handle, so two consecutive spans change no reference count.
        context::give_back(self.trace);
    }
}

impl Span {
    /// Begins a span at this position. Without one the guard does nothing.
    // Always inlined, and a `match` instead of `map`: a call site without a trace then has nothing to drop.
    #[inline(always)]
    pub(super) fn begin(at: Option<Position>, name: &'static str, fields: Option<Box<Fields>>) -> Span {
        match at {
            Some(at) => Span { inner: Some(Inner::begin(at, name, fields)) },
            None => Span { inner: None },
        }
    }

    /// Returns a span that stands for the trace itself. It has no slot.
    pub(super) fn top(trace: Trace) -> Span {
        Span { inner: Some(Inner { trace, position: Packed::new(None, None) }) }
    }

    /// Returns the trace, the index of the span, and the parent of its children.
    #[inline]
    pub(super) fn position(&self) -> Option<(&Trace, Option<SpanIndex>, Option<SpanIndex>)> {
        let Inner { trace, position } = self.inner.as_ref()?;
        Some((trace, position.index(), position.parent()))
    }

    /// Sets a field of a span that has begun. Has no effect once its trace has ended.
    pub fn set_field<How>(&self, key: &'static str, value: impl IntoValue<How>) {
        if let Some(inner) = &self.inner {
            inner.set_field(key, value.into_value());
        }
    }

    /// Returns the value of a field that was set. `None` if the span has no such field, or belongs to no trace.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// let span = trace.enter(|| obs_trace::span("forward").field("to", "ada").enter());
    /// assert_eq!(span.field("to"), Some("ada".into()));
    /// # drop(span);
    /// # trace.finish();
    /// ```
    #[must_use]
    pub fn field(&self, key: &str) -> Option<Value> {
        let inner = self.inner.as_ref()?;
        inner.trace.0.field(inner.position.index()?, key)
    }

    /// Marks the span as failed: sets the field `error`. The trace may still end as `ok`.
    pub fn fail(&self, code: &str) {
        self.set_field(ERROR_FIELD, code);
    }

    /// Marks the span as failed with `code`, unless it is marked already, and sets a field with the cause.
    pub(super) fn fail_by(&self, code: &str, key: &'static str, cause: impl FnOnce() -> SmolStr) {
        // The cause is not formatted for a span that is not kept.
        if let Some(inner) = &self.inner
            && let Some(index) = inner.position.index()
        {
            inner.trace.0.fail_span(index, code);
            inner.set_field(key, cause().as_str().into());
        }
    }

    /// Returns the headers of a call that is made on behalf of this span, as [`outgoing`](crate::outgoing) does for the
    /// enclosing span. `None` if no trace was current.
    ///
    /// For a call whose response outlives the future that began it, such as a stream.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// let span = trace.enter(|| obs_trace::span("backend").enter());
    /// let headers = span.outgoing().unwrap();
    /// assert!(headers.traceparent().starts_with(b"00-"));
    /// # drop(span);
    /// # trace.finish();
    /// ```
    pub fn outgoing(&self) -> Option<Outgoing> {
        let Inner { trace, position } = self.inner.as_ref()?;
        if let Some(index) = position.index() {
            trace.0.mark_client(index);
        }
        Some(Outgoing::of(trace.clone(), position.parent()))
    }

    /// Returns whether the span belongs to a trace and is kept.
    pub fn is_kept(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.position.index().is_some())
    }

    /// Returns the trace of the span.
    pub fn trace(&self) -> Option<&Trace> {
        self.inner.as_ref().map(|inner| &inner.trace)
    }

    /// Runs `f` inside the span.
    #[inline]
    pub(crate) fn within<R>(&self, moved: &mut Option<Box<context::Frame>>, f: impl FnOnce() -> R) -> R {
        match &self.inner {
            Some(inner) => context::within(&inner.trace, inner.position.parent(), moved, f),
            None => f(),
        }
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.end();
        }
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Span").field("trace", &self.trace()).finish_non_exhaustive()
    }
}
