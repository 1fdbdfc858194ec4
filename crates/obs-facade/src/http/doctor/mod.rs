//! The doctor inside the node: `GET /doctor`, and check results as metrics and log lines.

mod changes;
mod latest;
mod observed_bus;
mod route;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use obs_doctor::{BusError, CapabilityBus, Config, Doctor, Observability, Report, default_doctor};
use tokio::time::{MissedTickBehavior, interval};

use self::changes::log_changes;
use self::latest::{FRESH, LatestReport};
use self::observed_bus::ObservedBus;
use crate::seams;

/// Checks that [`Checkup::routine`] leaves out: a multicast packet to the community, and requests to the internet.
const NOT_ROUTINE: [&str; 2] = ["udp_multicast", "clock_sanity"];

/// Doctor of the node that it runs in.
///
/// All that ask, by [`router`](Self::router), [`watch`](Self::watch) or [`report`](Self::report), share one result: the
/// checks run on threads of their own, one run at a time and at most one in 10 s. Clones share it too.
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
/// use obs_facade::doctor::{self, CapabilityBus};
/// use obs_facade::http::{self, Checkup};
/// # async fn start(node: Arc<dyn CapabilityBus>) {
/// let checkup = Checkup::new(doctor::Config::default(), node.clone());
/// let app = http::router(node).merge(checkup.router());
/// tokio::spawn(checkup.watch(Duration::from_secs(300)));
/// # let _: axum::Router = app;
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a checkup does nothing until it is asked"]
pub struct Checkup {
    latest: LatestReport,
    remote: bool,
}

impl Checkup {
    /// Creates a checkup of the default registry's checks on a node with this configuration.
    ///
    /// The checks learn the state of this process's log and export of traces from it. The node's bus adds the rest, such as
    /// the steps of the clock ([`CapabilityBus::observability`]).
    pub fn new(config: Config, bus: Arc<dyn CapabilityBus>) -> Self {
        let bus = Arc::new(ObservedBus(bus));
        Self { latest: LatestReport::new(default_doctor(), config, bus), remote: false }
    }

    /// Sets another registry of checks.
    pub fn doctor(mut self, doctor: Doctor) -> Self {
        self.latest.doctor = doctor;
        self
    }

    /// Sets whether callers on other machines are answered too. Off by default.
    pub fn remote(mut self, allowed: bool) -> Self {
        self.remote = allowed;
        self
    }

    /// Returns the checkup for the timer that runs by default: it leaves out the checks that send packets to other machines
    /// (`udp_multicast` and `clock_sanity`), and language models on the internet. Its results are those that
    /// [`last`](Self::last) of this one returns too.
    pub fn routine(&self) -> Self {
        Self { latest: self.latest.routine(&NOT_ROUTINE), remote: self.remote }
    }

    /// Returns what is known of the node's own log, export of traces, clock and last run.
    ///
    /// # Errors
    /// The errors of [`CapabilityBus::observability`].
    pub fn observability(&self) -> Result<Observability, BusError> {
        self.latest.observability()
    }

    /// Returns the router of `GET /doctor`: the report as JSON in the form of
    /// [`JSON_SCHEMA`](obs_doctor::render::JSON_SCHEMA), with its age in seconds in the header `Age`.
    ///
    /// Callers on other machines get 403 and the reason, unless [`remote`](Self::remote) admits them. The server has to
    /// record the caller's address as axum's [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo); without it every
    /// caller is refused.
    pub fn router(&self) -> Router {
        route::router(self.latest.clone(), self.remote)
    }

    /// Returns a report that is at most 10 s old; `None` when the runtime is shutting down.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn report(&self) -> Option<Arc<Report>> {
        Some(self.latest.get().await?.report)
    }

    /// Returns the report of the last run and its age, without running the checks; `None` before the first run.
    #[must_use]
    pub fn last(&self) -> Option<(Arc<Report>, Duration)> {
        self.latest.shown().map(|last| (last.report, last.at.elapsed()))
    }

    /// Runs the checks each `every`, which is 10 s at least.
    ///
    /// Sets `hearthnet_doctor_check_ok{check}`, `hearthnet_doctor_check_skipped{check}` and
    /// `hearthnet_doctor_check_duration_seconds{check}`, and logs each check that begins or ceases to fail. Ends when the
    /// future is dropped or the runtime shuts down.
    pub async fn watch(self, every: Duration) {
        let mut ticks = interval(every.max(FRESH));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = HashMap::new();
        // On the page from the start: 0 runs is an answer, a missing family is none.
        drop(seams::doctor_runs());
        loop {
            ticks.tick().await;
            let Some(report) = self.report().await else { return };
            seams::show_doctor(&report);
            log_changes(&mut known, &report);
        }
    }
}
