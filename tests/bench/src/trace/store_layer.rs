//! A minimal layer for tracing that keeps the last traces in memory.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

const TRACES: usize = 10_000;

/// A span that has ended.
pub(super) struct Ended {
    pub(super) name: &'static str,
    /// Start, together with `duration` the data that a reader needs.
    #[expect(dead_code, reason = "it is kept because a reader would want it")]
    parent: Option<Id>,
    #[expect(dead_code, reason = "it is kept because a reader would want it")]
    start: Instant,
    #[expect(dead_code, reason = "it is kept because a reader would want it")]
    duration: Duration,
}

struct Started(Instant);

/// Ended spans of a trace, in the extensions of its root.
#[derive(Default)]
struct Collected(Vec<Ended>);

#[derive(Default)]
pub(super) struct Store {
    pub(super) traces: VecDeque<Vec<Ended>>,
    pub(super) kept: u64,
}

pub(super) struct StoreLayer(pub(super) &'static Mutex<Store>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for StoreLayer {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).expect("a new span is known");
        let is_root = span.parent().is_none();
        let mut extensions = span.extensions_mut();
        extensions.insert(Started(Instant::now()));
        if is_root {
            extensions.insert(Collected::default());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).expect("a span that closes is known");
        let start = span.extensions().get::<Started>().expect("it has begun").0;
        let parent = span.parent().map(|parent| parent.id());
        let is_root = parent.is_none();
        let name: &'static Metadata<'static> = span.metadata();
        let ended = Ended { name: name.name(), parent, start, duration: start.elapsed() };
        let Some(root) = span.scope().from_root().next() else { return };
        let mut extensions = root.extensions_mut();
        let Some(collected) = extensions.get_mut::<Collected>() else { return };
        collected.0.push(ended);
        if is_root {
            let trace = std::mem::take(&mut collected.0);
            drop(extensions);
            self.keep(trace);
        }
    }
}

impl StoreLayer {
    fn keep(&self, trace: Vec<Ended>) {
        let mut store = self.0.lock().expect("nobody panics");
        store.kept += 1;
        let oldest = if store.traces.len() == TRACES { store.traces.pop_front() } else { None };
        store.traces.push_back(trace);
        drop(store);
        drop(oldest);
    }
}
