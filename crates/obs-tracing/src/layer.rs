//! The layer: for a program that has a `tracing-subscriber` stack of its own.

use std::sync::atomic::Ordering;

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Dispatch, Event, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::span::{EXCESS, Fields, MAX_OPEN, OUTSIDE, Open};
use crate::{event, levels, others, span, trace_ids};

/// Returns the bridge as a layer, for a program that has a `tracing-subscriber` stack of its own.
///
/// It does in the stack what [`Bridge`](crate::Bridge) does alone: events are lines of the log, and spans are recorded in
/// the current trace. The level of the log and the current trace decide what this layer sees. They do not decide what the
/// other layers see.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let stack = tracing_subscriber::registry().with(obs_tracing::layer()).with(tracing_subscriber::fmt::layer());
/// # drop(stack);
/// ```
#[must_use = "a layer has no effect until it is part of a subscriber"]
pub fn layer<S>() -> BridgeLayer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    trace_ids::join();
    Observer { _private: () }.with_filter(Wanted { _private: () })
}

/// Layer of [`layer`].
///
/// ```
/// use tracing_subscriber::Registry;
///
/// let layer: obs_tracing::BridgeLayer<Registry> = obs_tracing::layer();
/// # drop(layer);
/// ```
pub type BridgeLayer<S> = Filtered<Observer, Wanted, S>;

/// Part of [`BridgeLayer`] that observes spans and events.
///
/// ```
/// # fn is<T: std::fmt::Debug>() {}
/// is::<obs_tracing::Observer>();
/// ```
#[derive(Debug)]
pub struct Observer {
    _private: (),
}

/// Part of [`BridgeLayer`] that says which spans and events it observes.
///
/// ```
/// # fn is<T: std::fmt::Debug>() {}
/// is::<obs_tracing::Wanted>();
/// ```
#[derive(Debug)]
pub struct Wanted {
    _private: (),
}

impl<S> Filter<S> for Wanted {
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        span::interest(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        span::is_enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        levels::max_level()
    }
}

/// An open span in the extensions of the stack.
struct Kept(Open);

impl Kept {
    /// Begins a span, unless too many are open.
    fn begin(begin: impl FnOnce() -> Option<Open>) -> Option<Kept> {
        // Relaxed: a count. It may be exceeded by one for each thread.
        if OUTSIDE.load(Ordering::Relaxed) >= MAX_OPEN as usize {
            EXCESS.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let open = begin()?;
        OUTSIDE.fetch_add(1, Ordering::Relaxed);
        Some(Kept(open))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Relaxed: see `begin`.
        OUTSIDE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Observer {
    fn on_register_dispatch(&self, _: &Dispatch) {
        others::note_layer();
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let child = |parent: &Id, name| look(&context.span(parent)?, |open| open.child(name));
        if let Some(kept) = Kept::begin(|| span::begin_outside(attributes, child)) {
            span.extensions_mut().replace(kept);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if look(&span, |_| ()).is_some() {
            values.record(&mut Fields::new(|key, value| {
                look(&span, |open| open.set_field(key, value));
            }));
        }
    }

    fn on_follows_from(&self, id: &Id, followed: &Id, context: Context<'_, S>) {
        let (Some(span), Some(followed)) = (context.span(id), context.span(followed)) else { return };
        if let Some(reference) = look(&followed, Open::reference).flatten() {
            look(&span, |open| open.follow(reference));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(parent) = event.parent() else { return event::observe(event) };
        enter(parent, &context);
        let _left = Left(parent, &context);
        event::observe(event);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        enter(id, &context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        exit(id, &context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let kept = context.span(&id).and_then(|span| span.extensions_mut().remove::<Kept>());
        // Where no extension is borrowed: the drop of a trace runs the logger.
        drop(kept);
    }
}

/// Leaves a span when it is dropped, also while unwinding.
struct Left<'a, S: Subscriber + for<'b> LookupSpan<'b>>(&'a Id, &'a Context<'a, S>);

impl<S: Subscriber + for<'b> LookupSpan<'b>> Drop for Left<'_, S> {
    fn drop(&mut self) {
        exit(self.0, self.1);
    }
}

fn enter<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, context: &Context<'_, S>) {
    let Some(span) = context.span(id) else { return };
    let Some(mark) = look(&span, Open::mark).flatten() else { return };
    if !mark.enter() {
        // Cloned, so that no extension is borrowed while the span is entered.
        let trace = look(&span, |open| open.trace().cloned()).flatten();
        if let Some(trace) = trace {
            mark.enter_in(&trace);
        }
    }
}

fn exit<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, context: &Context<'_, S>) {
    if let Some(mark) = context.span(id).and_then(|span| look(&span, Open::mark).flatten()) {
        mark.exit();
    }
}

/// Looks at the open span of a span of the stack, if it has one.
fn look<R>(span: &SpanRef<'_, impl for<'a> LookupSpan<'a>>, f: impl FnOnce(&Open) -> R) -> Option<R> {
    span.extensions().get::<Kept>().map(|kept| f(&kept.0))
}
