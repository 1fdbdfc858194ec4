//! Upkeep of the recorder, which keeps every sample of a histogram until its upkeep runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Histogram, HistogramFn};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::family::series::count;

/// Histogram samples after which a recording thread runs the upkeep. At 8 bytes a sample, the recorder then holds some
/// 32 KiB of them.
const UPKEEP_EVERY: u64 = 4096;

/// Handle of the recorder, and the number of histogram samples so far.
pub(super) struct Upkeep {
    handle: PrometheusHandle,
    samples: AtomicU64,
    /// Held by the thread that runs the upkeep. Other threads go on without it.
    running: Mutex<()>,
}

impl Upkeep {
    pub(super) fn new(handle: PrometheusHandle) -> Self {
        Self { handle, samples: AtomicU64::new(0), running: Mutex::new(()) }
    }

    /// Returns the recorder's page. Rendering runs the upkeep too.
    pub(super) fn render(&self) -> String {
        self.handle.render()
    }

    fn add_sample(&self) {
        // Relaxed: the count only decides when the upkeep runs.
        let before = self.samples.fetch_add(1, Ordering::Relaxed);
        if (before + 1).is_multiple_of(UPKEEP_EVERY)
            // Skipped if another thread runs it: the next multiple comes soon.
            && let Ok(_running) = self.running.try_lock()
        {
            self.handle.run_upkeep();
        }
    }
}

/// Histogram of the recorder that leaves out NaN and takes part in the upkeep.
pub(super) struct UpkeptHistogram {
    recorded: Histogram,
    upkeep: Arc<Upkeep>,
    nan: Arc<AtomicU64>,
}

impl UpkeptHistogram {
    pub(super) fn new(recorded: Histogram, upkeep: Arc<Upkeep>, nan: Arc<AtomicU64>) -> Self {
        Self { recorded, upkeep, nan }
    }
}

impl HistogramFn for UpkeptHistogram {
    fn record(&self, value: f64) {
        if value.is_nan() {
            return count(&self.nan);
        }
        self.recorded.record(value);
        self.upkeep.add_sample();
    }
}
