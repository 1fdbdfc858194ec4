//! The subscriber: a program's only dispatcher of `tracing`.

use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Event, LevelFilter, Metadata, Subscriber};

use crate::{event, levels, span, trace_ids};

/// Subscriber that writes the events of `tracing` as lines and records its spans in the current trace.
///
/// For a program that has no `tracing-subscriber` stack. All bridges of a process share their state.
///
/// ```
/// let bridge = obs_tracing::Bridge::new();
/// # drop(bridge);
/// ```
#[derive(Debug)]
#[must_use = "a bridge has no effect until it is a dispatcher"]
pub struct Bridge {
    _private: (),
}

impl Bridge {
    /// Makes a bridge.
    pub fn new() -> Bridge {
        trace_ids::join();
        Bridge { _private: () }
    }
}

impl Default for Bridge {
    fn default() -> Bridge {
        Bridge::new()
    }
}

impl Subscriber for Bridge {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        span::interest(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        levels::max_level()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        span::is_enabled(metadata)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        span::begin(attributes)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        span::record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        span::follow(span, follows);
    }

    fn event(&self, event: &Event<'_>) {
        match event.parent() {
            Some(parent) => span::within(parent, || event::observe(event)),
            None => event::observe(event),
        }
    }

    fn enter(&self, span: &Id) {
        span::enter(span);
    }

    fn exit(&self, span: &Id) {
        span::exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        span::clone(span)
    }

    fn try_close(&self, span: Id) -> bool {
        span::close(&span)
    }

    fn current_span(&self) -> Current {
        span::current()
    }
}
