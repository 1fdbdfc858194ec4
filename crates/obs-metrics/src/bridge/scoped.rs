//! Recorder of the `metrics` macros on a thread that has entered a registry.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::Bridge;
use crate::family::dynamic::MacroFamilies;
use crate::family::namespace::Namespace;
use crate::family::scope;

/// Passes each call to the bridge of the registry that the thread has entered.
pub(crate) struct ScopedRecorder;

/// Returns the bridge of a registry. Makes it at the first call, because most tests use no macro.
pub(crate) fn bridge_of(namespace: &Arc<Namespace>) -> &Arc<dyn MacroFamilies> {
    namespace.macro_families_or(|| Bridge::new(Arc::downgrade(namespace)))
}

fn with_bridge<R>(f: impl FnOnce(&dyn Recorder) -> R) -> Option<R> {
    scope::current().map(|namespace| f(bridge_of(&namespace).recorder()))
}

impl Recorder for ScopedRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        with_bridge(|bridge| bridge.describe_counter(name, unit, help));
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        with_bridge(|bridge| bridge.describe_gauge(name, unit, help));
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        with_bridge(|bridge| bridge.describe_histogram(name, unit, help));
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        with_bridge(|bridge| bridge.register_counter(key, metadata)).unwrap_or_else(Counter::noop)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        with_bridge(|bridge| bridge.register_gauge(key, metadata)).unwrap_or_else(Gauge::noop)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        with_bridge(|bridge| bridge.register_histogram(key, metadata)).unwrap_or_else(Histogram::noop)
    }
}
