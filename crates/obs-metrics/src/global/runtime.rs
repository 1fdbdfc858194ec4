//! Families of a tokio runtime: workers, living tasks, tasks that wait for a worker. Needs the feature `tokio`.

use tokio::runtime::{Handle, RuntimeMetrics};

use crate::error::Error;
use crate::exposition::kind::Kind;
use crate::registry::Registry;
use crate::registry::collector::Samples;

/// Adds the families `tokio_workers`, `tokio_alive_tasks` and `tokio_global_queue_depth` of this runtime to a registry.
/// A second call replaces the runtime.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if the registry has another family of one of these names.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// let registry = obs_metrics::Registry::new();
/// obs_metrics::runtime::collect_in(&registry, runtime.handle()).unwrap();
/// assert_eq!(obs_metrics::testing::value(&registry, "tokio_workers", &[]), Some(1.0));
/// ```
pub fn collect_in(registry: &Registry, runtime: &Handle) -> Result<(), Error> {
    family(
        registry,
        runtime,
        "tokio_workers",
        "Worker threads of the runtime.",
        RuntimeMetrics::num_workers,
    )?;
    family(
        registry,
        runtime,
        "tokio_alive_tasks",
        "Tasks that have not ended.",
        RuntimeMetrics::num_alive_tasks,
    )?;
    let help = "Tasks in the runtime's global queue.";
    family(registry, runtime, "tokio_global_queue_depth", help, RuntimeMetrics::global_queue_depth)
}

fn family(
    registry: &Registry,
    runtime: &Handle,
    name: &str,
    help: &str,
    field: fn(&RuntimeMetrics) -> usize,
) -> Result<(), Error> {
    let metrics = runtime.metrics();
    registry.collect_with(Kind::Gauge, name, help, [], move |samples: &mut Samples<0>| {
        samples.push([], field(&metrics) as f64);
    })
}
