//! The latest report, which all that ask within 10 s share.

use std::sync::{Arc, Mutex as BlockingMutex, PoisonError};
use std::time::{Duration, Instant};

use obs_doctor::{BusError, CapabilityBus, Check, Config, Doctor, Observability, Report};
use tokio::sync::Mutex;

use crate::seams;

/// Time for which a report is served again. Ten seconds bound the load of a caller that polls `/doctor`.
pub(super) const FRESH: Duration = Duration::from_secs(10);

/// The checks, what they look at, and the report of their latest run.
#[derive(Clone, Debug)]
pub(super) struct LatestReport {
    pub(super) doctor: Doctor,
    config: Arc<Config>,
    bus: Bus,
    // Held while the checks run, so that there is one run at a time and all that wait get its report.
    last: Arc<Mutex<Option<TimedReport>>>,
    // The same report for readers that do not wait for a run. Held for a copy of the pointer.
    shown: Arc<BlockingMutex<Option<TimedReport>>>,
}

/// A report and the time it was made at.
#[derive(Clone, Debug)]
pub(super) struct TimedReport {
    pub(super) at: Instant,
    pub(super) report: Arc<Report>,
}

#[derive(Clone)]
struct Bus(Arc<dyn CapabilityBus>);

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus")
    }
}

impl LatestReport {
    pub(super) fn new(doctor: Doctor, config: Config, bus: Arc<dyn CapabilityBus>) -> Self {
        Self { doctor, config: Arc::new(config), bus: Bus(bus), last: Arc::default(), shown: Arc::default() }
    }

    /// Returns the same checks without those named, on a machine that is taken to be offline. The runs are its own, and the
    /// report that [`shown`](Self::shown) returns is the latest of both.
    pub(super) fn routine(&self, left_out: &[&str]) -> Self {
        let known = |name: &&&str| self.doctor.checks().map(Check::name).any(|check| check == **name);
        // A registry of a program's own may lack them, so that the selection cannot fail.
        let doctor = self.doctor.skip(left_out.iter().filter(known)).unwrap_or_else(|_| self.doctor.clone());
        let config = Arc::new(Config::clone(&self.config).offline(true));
        Self { doctor, config, last: Arc::default(), ..self.clone() }
    }

    pub(super) fn observability(&self) -> Result<Observability, BusError> {
        self.bus.0.observability()
    }

    /// Returns a report that is at most [`FRESH`] old; `None` when the runtime is shutting down.
    pub(super) async fn get(&self) -> Option<TimedReport> {
        let this = self.clone();
        // On a task of its own: a caller that goes away must not cancel the run, or the next one would start it anew.
        tokio::spawn(async move { this.get_or_run().await }).await.ok()
    }

    async fn get_or_run(&self) -> TimedReport {
        // An async mutex, because it is held across the run.
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.at.elapsed() < FRESH) {
            return last.clone();
        }
        let report = Arc::new(self.doctor.run_all(&self.config, &self.bus.0).await);
        seams::note_checks(&report);
        let timed = TimedReport { at: Instant::now(), report };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(timed.clone());
        last.insert(timed).clone()
    }

    /// Returns the report of the last run, without a new one.
    pub(super) fn shown(&self) -> Option<TimedReport> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
