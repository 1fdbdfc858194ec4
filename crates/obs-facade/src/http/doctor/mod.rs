//! The doctor of the node that it runs in: `GET /doctor`, and results as metrics (F1, D5).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::AGE;
use http::{HeaderValue, StatusCode};
use obs_doctor::{CapabilityBus, Config, Doctor, Report, default_doctor, render};
use obs_log::{Logger, info, warn};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use super::json_response::json_response;
use super::local_only::is_on_this_machine;
use crate::seams;

static LOG: Logger = Logger::new("hearthnet.doctor");

/// A report is as good as a new one for this long.
const FRESH: Duration = Duration::from_secs(10);

/// The doctor of a running node, which it looks at from inside.
///
/// However many ask, by [`router`](Self::router), by [`watch`](Self::watch) or by [`report`](Self::report): the
/// checks run on threads of their own, once at a time and at most once in 10 s, and all that ask share the result.
/// Clones are the same doctor.
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
pub struct Checkup {
    doctor: Doctor,
    config: Arc<Config>,
    bus: Bus,
    remote: bool,
    last: Arc<Mutex<Option<Last>>>,
}

#[derive(Clone)]
struct Bus(Arc<dyn CapabilityBus>);

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus")
    }
}

#[derive(Clone, Debug)]
struct Last {
    at: Instant,
    report: Arc<Report>,
}

impl Checkup {
    /// The checks of the default registry on a node with this configuration.
    #[must_use]
    pub fn new(config: Config, bus: Arc<dyn CapabilityBus>) -> Self {
        Self {
            doctor: default_doctor(),
            config: Arc::new(config),
            bus: Bus(bus),
            remote: false,
            last: Arc::default(),
        }
    }

    /// Another registry of checks.
    #[must_use]
    pub fn doctor(mut self, doctor: Doctor) -> Self {
        self.doctor = doctor;
        self
    }

    /// Whether callers on other machines are answered too. Off by default.
    #[must_use]
    pub fn remote(mut self, allowed: bool) -> Self {
        self.remote = allowed;
        self
    }

    /// `GET /doctor`: the report as JSON, whose form is [`render::JSON_SCHEMA`], with its age in seconds in the
    /// header `Age`.
    ///
    /// Callers on other machines get 403 and the reason, unless [`remote`](Self::remote) lets them. The server says
    /// who calls by [`Caller`](super::Caller).
    pub fn router(&self) -> Router {
        Router::new().route("/doctor", get(page)).with_state(self.clone())
    }

    /// The report, at most 10 s old; `None` when the runtime is shutting down.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn report(&self) -> Option<Arc<Report>> {
        Some(self.last().await?.report)
    }

    /// Looks every `every` (10 s at least), shows the results as `hearthnet_doctor_check_ok{check}` and
    /// `hearthnet_doctor_check_duration_seconds{check}`, and logs each check that begins or ceases to fail. Ends when
    /// it is dropped.
    pub async fn watch(self, every: Duration) {
        let mut ticks = interval(every.max(FRESH));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = HashMap::new();
        loop {
            ticks.tick().await;
            let Some(report) = self.report().await else { return };
            seams::show_doctor(&report);
            tell_changes(&mut known, &report);
        }
    }

    /// On a task of its own, so that a caller who goes away does not make the next one run everything anew.
    async fn last(&self) -> Option<Last> {
        let this = self.clone();
        tokio::spawn(async move { this.look().await }).await.ok()
    }

    async fn look(&self) -> Last {
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.at.elapsed() < FRESH) {
            return last.clone();
        }
        let report = Arc::new(self.doctor.run_all(&self.config, &self.bus.0).await);
        last.insert(Last { at: Instant::now(), report }).clone()
    }
}

/// A line for each check whose verdict is another than `known`; healthy ones are no news at first.
fn tell_changes(known: &mut HashMap<String, bool>, report: &Report) {
    for result in &report.results {
        let was_ok = known.insert(result.name.clone(), result.ok).unwrap_or(true);
        if was_ok && !result.ok {
            let fix = result.fix.as_deref().unwrap_or_default();
            warn!(logger: LOG, check = result.name, detail = result.detail, fix = fix; "check fails");
        } else if !was_ok && result.ok {
            info!(logger: LOG, check = result.name, detail = result.detail; "check no longer fails");
        }
    }
}

async fn page(State(checkup): State<Checkup>, request: Request) -> Response {
    if !checkup.remote
        && let Err(reason) = is_on_this_machine(&request.into_parts().0)
    {
        let message = format!("{reason}; `[observability] doctor_remote = true` opens it to all");
        return json_response(
            StatusCode::FORBIDDEN,
            json!({ "error": "forbidden", "message": message }).to_string(),
        );
    }
    let Some(last) = checkup.last().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut response = json_response(StatusCode::OK, render::json(&last.report));
    response.headers_mut().insert(AGE, HeaderValue::from(last.at.elapsed().as_secs()));
    response
}

#[cfg(test)]
mod tests {
    use obs_doctor::{Check, CheckResult, NoBus};

    use super::*;
    use crate::testing::Capture;

    fn report(failing: &[&str]) -> Report {
        let mut doctor = Doctor::empty();
        for name in ["a", "b"] {
            let fails = failing.contains(&name);
            let check = Check::new(name).run_blocking(move |_| match fails {
                true => CheckResult::fail("is down").fix("wait"),
                false => CheckResult::pass("well"),
            });
            doctor.register(check).unwrap();
        }
        let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
        doctor.run_all_blocking(&Config::new("/nosuch"), &bus)
    }

    #[test]
    fn d5_a_line_for_each_change_and_none_for_what_stays() {
        let (obs, mut known) = (Capture::new(), HashMap::new());
        obs.run(|| {
            for failing in [&[][..], &["a"], &["a"], &["a", "b"], &["b"], &["b"], &[]] {
                tell_changes(&mut known, &report(failing));
            }
        });
        let lines = obs.logs();
        let told: Vec<_> = lines.all().iter().map(|line| (&line["check"], &line["level"])).collect();
        let expected = [("a", "warning"), ("b", "warning"), ("a", "info"), ("b", "info")];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for ((check, level), expected) in told.into_iter().zip(expected) {
            assert_eq!((check.as_str(), level.as_str()), (Some(expected.0), Some(expected.1)));
        }
    }
}
