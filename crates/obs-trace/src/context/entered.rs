//! Spans that are entered and left by hand.
//!
//! Each thread has a list of the spans that it has entered, with what was in force before each. They may be left in any
//! order: a span that is left while a later one is entered hands what was before it to the later one.

use std::cell::{Cell, RefCell};

use super::frame::{self, Frame, Position};
use crate::Trace;
use crate::record::SpanIndex;

/// Position of a span, for comparison. It does not keep the trace alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Address of the trace's record.
    pub(crate) record: usize,
    /// Number that the caller knows the span by. 0 for none.
    pub(crate) tag: u64,
    /// `None` for a span that is not kept, and for the trace itself.
    pub(crate) index: Option<SpanIndex>,
    /// Parent of the span's children: the span or, if it is not kept, its own parent.
    pub(crate) parent: Option<SpanIndex>,
}

/// A span that the thread has entered.
struct Entered {
    mark: Mark,
    /// Enclosing span before, if the span's trace was current.
    outer: Option<SpanIndex>,
    /// Whether the span was left while the frame in force was another scope's. Its own frame goes when it is in force
    /// again.
    has_left: bool,
    /// Ticket of the frame that the span has put in force, because its trace was not current. 0 if it was.
    ticket: u32,
}

/// Spans that a thread has entered, the latest last.
struct List {
    entries: Vec<Entered>,
    /// Frames that were in force before those with these tickets. They are apart from the entries, because most spans are
    /// entered where their trace is current.
    before: Vec<(u32, Frame)>,
}

/// Maximum number of spans that a thread has entered. A program that never leaves its spans loses the oldest half of the
/// list, which then cannot restore what was before it. The list takes at most 80 KiB.
const MAX_ENTERED: usize = 1_024;

thread_local! {
    static ENTERED: RefCell<List> = const { RefCell::new(List { entries: Vec::new(), before: Vec::new() }) };
    static LAST_TICKET: Cell<u32> = const { Cell::new(0) };
}

/// Makes the span the enclosing one, if its trace is current. Returns whether it is.
#[inline]
pub(crate) fn enter(mark: Mark) -> bool {
    match with_list(|list| list.is_in_order().then(|| list.nest(mark))) {
        Some(Some(is_nested)) => is_nested,
        Some(None) => {
            tidy();
            with_list(|list| list.nest(mark)).unwrap_or_default()
        }
        // The thread is ending.
        None => false,
    }
}

/// Makes the span the enclosing one, and its trace the current one. Has no effect with another trace than the span's, nor
/// if the trace has ended and is not current.
pub(crate) fn enter_in(mark: Mark, trace: &Trace) {
    if enter(mark) || trace.address() != mark.record || trace.is_ended() {
        return;
    }
    let ticket = next_ticket();
    let own = Frame::with_ticket(Position { trace: trace.clone(), parent: mark.parent }, ticket);
    with_list(|list| {
        if let Some(before) = frame::put_in_force(own) {
            list.before.push((ticket, before));
            list.push(mark, None, ticket);
        }
    });
}

/// Leaves the span. What was before it is in force again, unless a later span is still entered.
pub(crate) fn exit(mark: Mark) {
    if !leave(|known| *known == mark)
        && let Some(span) = mark.index
    {
        // Entered on another thread, in a scope that has moved since.
        frame::leave_span(mark.record, span);
    }
}

/// Leaves the span that was entered under this tag. Returns whether there was one.
#[inline]
pub(crate) fn exit_tag(tag: u64) -> bool {
    leave(|known| known.tag == tag)
}

/// Leaves a span that closes, as often as this thread has entered it.
pub(crate) fn exit_closed(mark: Mark) {
    // Spans that are not kept cannot be told apart.
    let Some(index) = mark.index else { return };
    let is_same = |known: &Mark| known.record == mark.record && known.index == Some(index);
    while with_list(|list| list.place(is_same).is_some()).unwrap_or_default() {
        leave(is_same);
    }
}

/// Returns the latest tag that is accepted. `accept` must not run a user's code nor drop a trace.
pub(crate) fn last_tag(mut accept: impl FnMut(u64) -> bool) -> Option<u64> {
    let tags = |list: &mut List| {
        let entered = list.entries.iter().rev().filter(|one| !one.has_left);
        entered.map(|one| one.mark.tag).find(|tag| *tag != 0 && accept(*tag))
    };
    with_list(tags).flatten()
}

/// Leaves the latest span that `is_it` accepts. Returns whether there is one.
#[inline]
fn leave(is_it: impl Fn(&Mark) -> bool) -> bool {
    // As a rule it is the one that was entered last, where its trace was current.
    match with_list(|list| list.unnest_last(&is_it)) {
        Some(Some(is_in_order)) => {
            if !is_in_order {
                tidy();
            }
            true
        }
        _ => leave_any(is_it),
    }
}

// Not inlined, so that leaving the latest span stays small.
#[inline(never)]
fn leave_any(is_it: impl Fn(&Mark) -> bool) -> bool {
    let left = with_list(|list| {
        let place = list.place(is_it)?;
        Some(if place + 1 == list.entries.len() { list.leave_last() } else { list.leave_within(place) })
    });
    // A frame that is over is dropped here, where nothing is borrowed.
    let was_entered = left.flatten().is_some();
    if was_entered {
        tidy();
    }
    was_entered
}

/// Takes the frame of a span that was left earlier out of force, and makes room in a list that is full.
#[cold]
fn tidy() {
    // Frames are dropped where no list and no frame is borrowed, because the drop of a trace runs the logger.
    drop(with_list(|list| {
        let left = list.entries.last().is_some_and(|last| last.has_left).then(|| list.leave_last());
        (left, list.evict())
    }));
}

/// Borrows the thread's list. `None` if the thread is ending.
///
/// `f` must not run a user's code nor drop a trace: both may come back here while the list is borrowed.
#[inline]
fn with_list<R>(f: impl FnOnce(&mut List) -> R) -> Option<R> {
    ENTERED.try_with(|list| list.try_borrow_mut().ok().map(|mut list| f(&mut list))).ok().flatten()
}

fn next_ticket() -> u32 {
    // 0 is the ticket of ordinary frames.
    let ticket = LAST_TICKET.get().checked_add(1).unwrap_or(1);
    LAST_TICKET.set(ticket);
    ticket
}

impl List {
    /// Returns whether there is room, and no frame waits to go.
    #[inline]
    fn is_in_order(&self) -> bool {
        self.entries.len() < MAX_ENTERED && self.entries.last().is_none_or(|last| !last.has_left)
    }

    #[inline]
    fn nest(&mut self, mark: Mark) -> bool {
        let Some(outer) = frame::nest_in(mark.record, mark.parent) else { return false };
        self.push(mark, outer, 0);
        true
    }

    #[inline]
    fn push(&mut self, mark: Mark, outer: Option<SpanIndex>, ticket: u32) {
        self.entries.push(Entered { mark, outer, has_left: false, ticket });
    }

    /// Leaves the latest span if it is the one, and its trace was current. Returns whether the list is in order then.
    #[inline]
    fn unnest_last(&mut self, is_it: impl Fn(&Mark) -> bool) -> Option<bool> {
        let &Entered { mark, outer, ticket, .. } = self.entries.last()?;
        if ticket != 0 || !is_it(&mark) {
            return None;
        }
        self.entries.pop();
        frame::unnest_from(mark.record, mark.parent, outer);
        Some(self.is_in_order())
    }

    /// Finds the latest span that `is_it` accepts.
    fn place(&self, is_it: impl Fn(&Mark) -> bool) -> Option<usize> {
        self.entries.iter().rposition(|one| !one.has_left && is_it(&one.mark))
    }

    /// Leaves the span that was entered last. Returns its frame, if it had one of its own that is over.
    fn leave_last(&mut self) -> Option<Frame> {
        let last = self.entries.pop()?;
        if last.ticket == 0 {
            frame::unnest_from(last.mark.record, last.mark.parent, last.outer);
            return None;
        }
        if frame::ticket() == last.ticket {
            return frame::put_in_force(self.take_before(last.ticket)?);
        }
        // The frame in force belongs to a scope that began later.
        self.entries.push(Entered { has_left: true, ..last });
        None
    }

    /// Leaves a span while later ones are entered. Returns a frame that is over.
    fn leave_within(&mut self, place: usize) -> Option<Frame> {
        let Entered { mark, outer, ticket, .. } = self.entries.remove(place);
        let later = &mut self.entries[place];
        match (ticket, later.ticket) {
            (0, 0) => {
                if later.outer == mark.parent {
                    later.outer = outer;
                }
                // The later span may belong to another scope.
                frame::unnest_from(mark.record, mark.parent, outer);
                None
            }
            (0, later) => {
                let (_, before) = self.before.iter_mut().find(|(known, _)| *known == later)?;
                before.unnest(mark.record, mark.parent, outer);
                None
            }
            // The later span is inside this span's frame, and takes that over with what was before it.
            (own, 0) if frame::ticket() == own => {
                later.ticket = own;
                None
            }
            (own, later) if self.is_before(own, later) => {
                let before = self.take_before(own)?;
                let (_, frame) = self.before.iter_mut().find(|(known, _)| *known == later)?;
                Some(std::mem::replace(frame, before))
            }
            _ => {
                self.entries.insert(place, Entered { mark, outer, has_left: true, ticket });
                None
            }
        }
    }

    /// Returns whether the frame with the ticket `own` was in force before the one with the ticket `later`.
    fn is_before(&self, own: u32, later: u32) -> bool {
        self.before.iter().any(|(known, before)| *known == later && before.has_ticket(own))
    }

    /// Returns the frame that was in force before the one with this ticket.
    fn take_before(&mut self, ticket: u32) -> Option<Frame> {
        let place = self.before.iter().rposition(|(known, _)| *known == ticket)?;
        Some(self.before.remove(place).1)
    }

    /// Forgets the oldest half of a list that is full. Returns its frames.
    fn evict(&mut self) -> Vec<Frame> {
        if self.entries.len() < MAX_ENTERED {
            return Vec::new();
        }
        let oldest: Vec<_> = self.entries.drain(..MAX_ENTERED / 2).map(|one| one.ticket).collect();
        oldest.into_iter().filter_map(|ticket| self.take_before(ticket)).collect()
    }
}
