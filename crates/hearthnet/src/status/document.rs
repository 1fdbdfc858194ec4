//! The report as JSON.

use std::collections::HashMap;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use obs_facade::doctor::{CheckResult, Status as Verdict};
use obs_facade::{log, trace};
use serde_json::{Value, json};

use super::sources::Status;
use crate::bus::PeerView;
use crate::bus::callers::CallerCount;
use crate::bus::manifest::stability;
use crate::bus::recent::{CapabilityCount, Summary, WINDOW};
use crate::version::{COMMIT, VERSION};
use crate::wire::{self, clock};

/// Version of the document. A reader refuses a higher one.
const DOCUMENT_VERSION: u32 = 1;

/// Paths that every caller may read, because probes, scrapers and peers have no credentials.
const OPEN_PATHS: [&str; 6] =
    ["/health", "/ready", "/manifest", "/metrics", "/trace/recent", "/trace/active"];

/// Number of causes in the report. The rest are mistakes of callers or rare ones.
const SHOWN_CAUSES: usize = 32;

/// Number of callers in the report. `GET /callers` has more.
const SHOWN_CALLERS: usize = 10;

/// Returns the report of this moment.
pub(super) async fn of(status: &Status) -> Value {
    let space = status.disk.space().await;
    let recent = status.bus.recent().summary();
    let in_flight = InFlight::now();
    let peers = status.bus.peer_views();
    json!({
        "version": DOCUMENT_VERSION,
        "node": node(status),
        "last_run": last_run(status),
        "listening": [{ "address": status.address.to_string(), "reachable_from": reachable_from(status) }],
        "open_without_credentials": open_paths(status),
        "community": { "id": status.bus.community_id(), "members": status.members },
        "capabilities": capabilities(status, &peers, &recent, &in_flight),
        "peers": peers.iter().map(|peer| shown_peer(peer, status)).collect::<Vec<_>>(),
        "recent": shown_recent(&recent, &in_flight),
        "callers": { "window_seconds": null, "top": top_callers(status) },
        "disk": {
            "path": status.disk.folder.to_string_lossy(),
            "free_bytes": space.map(|space| space.free),
            "total_bytes": space.map(|space| space.total),
            "log_bytes": space.map(|space| space.log),
        },
        "drops": drops(),
        "exports": exports(),
        "problems": problems(),
        "checks": checks(status),
        "observability": status.checkup.observability().ok(),
        "lamport_head": status.events.lamport_head(),
        "calls_in_flight": in_flight.all(),
    })
}

fn node(status: &Status) -> Value {
    let uptime = Utc::now().signed_duration_since(status.started_at).num_seconds().max(0);
    json!({
        "id": status.bus.node_id(),
        "name": status.bus.display_name(),
        "profile": status.profile,
        "version": VERSION,
        "commit": COMMIT,
        "pid": std::process::id(),
        "started_at": clock::text(status.started_at),
        "uptime_seconds": uptime,
    })
}

fn last_run(status: &Status) -> Value {
    let last = &status.last_run;
    json!({
        "ended": last.ended.as_str(),
        "at": last.at.map(clock::text),
        "machine_restarted": last.machine_restarted,
        "recovered_lines": log::stats().recovered,
    })
}

fn reachable_from(status: &Status) -> &'static str {
    if status.address.ip().to_canonical().is_loopback() { "this machine" } else { "network" }
}

fn open_paths(status: &Status) -> Vec<&'static str> {
    let doctor = status.is_doctor_remote.then_some("/doctor");
    OPEN_PATHS.into_iter().chain(doctor).collect()
}

/// Number of calls in progress by capability.
struct InFlight(HashMap<String, usize>);

impl InFlight {
    fn now() -> InFlight {
        let mut by_capability = HashMap::new();
        for active in trace::active() {
            *by_capability.entry(active.trace().capability().to_owned()).or_default() += 1;
        }
        InFlight(by_capability)
    }

    fn of(&self, capability: &str) -> usize {
        self.0.get(capability).copied().unwrap_or_default()
    }

    fn all(&self) -> usize {
        self.0.values().sum()
    }
}

/// Returns the capabilities of this node, then those of the peers.
fn capabilities(status: &Status, peers: &[PeerView], recent: &Summary, in_flight: &InFlight) -> Vec<Value> {
    let us = status.bus.node_id();
    let counted = |name: &str| recent.by_capability.iter().find(|counted| counted.capability == name);
    let local = status.bus.capability_names().map(|name| {
        json!({
            "name": name,
            "version": wire::VERSION,
            "stability": stability(name),
            "node": us,
            "local": true,
            // The one capability with a model.
            "model": status.model.as_deref().filter(|_| name == "llm.chat"),
            "health": status.bus.success_rate(name, us),
            "p50_ms": counted(name).and_then(|counted| counted.p50_ms),
            "in_flight": in_flight.of(name),
        })
    });
    let offered = peers
        .iter()
        .filter_map(|peer| peer.manifest.as_ref())
        .flat_map(|manifest| manifest.capabilities.iter().map(move |offered| (&manifest.node_id, offered)));
    let remote = offered.map(|(node_id, offered)| {
        let name = offered.name.as_str();
        // This node answers calls of its own capabilities itself, so that their times are not those of a peer.
        let is_forwarded = !status.bus.capability_names().any(|ours| ours == name);
        json!({
            "name": name,
            "version": offered.version,
            "stability": offered.stability,
            "node": node_id,
            "local": false,
            "model": null,
            "health": status.bus.success_rate(name, node_id),
            "p50_ms": counted(name).filter(|_| is_forwarded).and_then(|counted| counted.p50_ms),
            "in_flight": if is_forwarded { in_flight.of(name) } else { 0 },
        })
    });
    local.chain(remote).collect()
}

fn shown_peer(peer: &PeerView, status: &Status) -> Value {
    let state = match (peer.answers, &peer.manifest) {
        (true, _) => "answers",
        (false, Some(_)) => "silent",
        (false, None) => "never answered",
    };
    json!({
        "node_id": peer.manifest.as_ref().map(|manifest| &manifest.node_id),
        "name": peer.manifest.as_ref().and_then(|manifest| manifest.display_name.as_ref()),
        "community_id": peer.manifest.as_ref().map(|manifest| &manifest.community_id),
        "url": peer.address,
        "state": state,
        "since": clock::text(peer.since.unwrap_or(status.started_at)),
        "error": peer.error,
    })
}

fn shown_recent(recent: &Summary, in_flight: &InFlight) -> Value {
    let by_capability = |counted: &CapabilityCount| {
        json!({
            "capability": counted.capability,
            "requests": counted.requests,
            "errors": counted.errors,
            "p50_ms": counted.p50_ms,
            "p95_ms": counted.p95_ms,
            "p99_ms": counted.p99_ms,
            "in_flight": in_flight.of(&counted.capability),
        })
    };
    let causes = recent.causes.iter().take(SHOWN_CAUSES).map(|cause| {
        json!({
            "capability": cause.capability,
            "code": cause.code,
            "cause": cause.cause,
            "count": cause.count,
            "first_at": moment(cause.first_at),
            "last_at": moment(cause.last_at),
            "trace_id": cause.trace_id.map(|id| id.to_string()),
        })
    });
    json!({
        "window_seconds": WINDOW.as_secs(),
        "requests": recent.requests(),
        "errors": recent.errors(),
        "requests_since_start": recent.since_start.requests,
        "errors_since_start": recent.since_start.errors,
        "by_capability": recent.by_capability.iter().map(by_capability).collect::<Vec<_>>(),
        "causes": causes.collect::<Vec<_>>(),
    })
}

/// Returns the callers with the most calls since the start of the node.
fn top_callers(status: &Status) -> Vec<Value> {
    let shown = |caller: &CallerCount| {
        json!({
            "node_id": caller.node_id,
            "address": caller.address.to_string(),
            "calls": caller.calls.value,
            "refused": caller.refused.value,
            "errors": caller.errors.value,
        })
    };
    status.bus.callers().top(SHOWN_CALLERS).iter().map(shown).collect()
}

fn moment(time: SystemTime) -> String {
    clock::text(DateTime::<Utc>::from(time))
}

/// Returns what observability itself has lost since the start.
fn drops() -> Value {
    let (log, traces) = (log::stats(), trace::stats());
    let export = obs_facade::export_stats().map(
        |export| json!({ "dropped": export.dropped, "failed": export.failed, "failing": export.is_failing }),
    );
    json!({
        "log_lines": log.dropped,
        "log_lines_held_back": log.suppressed,
        "log_write_errors": log.write_errors,
        "log_crash_safe": log.crash_safe,
        "spans": traces.dropped_spans,
        "span_fields": traces.dropped_fields,
        "export": export,
        "history": history(),
    })
}

/// Returns the state of each export that is on.
fn exports() -> Vec<Value> {
    let shown = |export: &obs_facade::ExportStatus| {
        json!({
            "signal": export.signal,
            "endpoint": export.endpoint,
            "exported": export.exported,
            "dropped": export.dropped,
            "failed": export.failed,
            "failing_since": export.failing_since.map(moment),
        })
    };
    obs_facade::exports().iter().map(shown).collect()
}

/// Returns what the history has lost; `null` where none is kept.
fn history() -> Value {
    let (Some(minutes), traces) = (obs_facade::history_stats(), obs_facade::trace_history_stats()) else {
        return Value::Null;
    };
    json!({
        "minutes": minutes.minutes_lost,
        "traces": traces.map_or(0, |traces| traces.missed),
        "failing": minutes.is_failing || traces.is_some_and(|traces| !traces.is_recording || traces.disk_fails),
    })
}

/// Returns the number of open problems. `GET /problems` lists them.
fn problems() -> Value {
    let open = obs_facade::problems().open_by_kind();
    json!({
        "open": open.iter().map(|(_, number)| number).sum::<usize>(),
        "by_kind": open.iter().map(|(kind, number)| (kind.name(), *number)).collect::<HashMap<_, _>>(),
    })
}

/// Returns the results of the last run of the checks. The report does not run them.
fn checks(status: &Status) -> Value {
    let Some((report, age)) = status.checkup.last() else {
        return json!({ "ran_at": null, "failed": [], "warned": [], "passed": 0, "skipped": 0 });
    };
    let shown =
        |result: &CheckResult| json!({ "name": result.name, "detail": result.detail, "fix": result.fix });
    let list = |matching: fn(&CheckResult) -> bool| -> Vec<Value> {
        report.results.iter().filter(|result| matching(result)).map(shown).collect()
    };
    let count = |verdict| report.results.iter().filter(|result| result.status == verdict).count();
    json!({
        "ran_at": moment(SystemTime::now() - age),
        "failed": list(|result| !result.ok),
        "warned": list(|result| result.status == Verdict::Warn),
        "passed": count(Verdict::Pass),
        "skipped": count(Verdict::Skip),
    })
}
