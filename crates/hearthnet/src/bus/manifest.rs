//! `GET /manifest`: the signed description of this node.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{TimeDelta, Utc};
use obs_facade::metrics::{Registry, SampleValue};
use serde_json::{Value, json};

use super::state::Bus;
use crate::version::VERSION as VERSION_OF_PROGRAM;
use crate::wire::{self, VERSION, clock};

/// Time for which a manifest is valid.
const TTL: TimeDelta = TimeDelta::seconds(30);

/// Serves the manifest.
pub(super) async fn serve(State(bus): State<Arc<Bus>>) -> Response {
    wire::json(&own(&bus))
}

/// Returns the stability of a capability of this node.
pub(crate) fn stability(name: &str) -> &'static str {
    // The prefix is the convention of the bus. A capability has no other mark.
    if name.starts_with("experimental.") { "experimental" } else { "stable" }
}

/// Returns the number of open problems; `None` where none are kept.
fn problems_open() -> Option<u64> {
    let families = Registry::global().snapshot(|name, _| name == "hearthnet_problems_open");
    let series = families.first()?.series.iter();
    let open = series.filter_map(|series| match series.value {
        SampleValue::Gauge(open) => Some(open),
        _ => None,
    });
    Some(open.sum::<f64>().max(0.0) as u64)
}

fn own(bus: &Bus) -> Value {
    let now = Utc::now();
    let capabilities = bus
        .capabilities
        .keys()
        .map(|name| json!({ "name": name, "version": VERSION, "stability": stability(name) }));
    bus.profile.identity.sign_document(json!({
        "version": 1,
        "contract_version": "1.0",
        "node_id": bus.profile.identity.node_id(),
        "community_id": bus.profile.community_id,
        "display_name": bus.profile.display_name,
        "program_version": VERSION_OF_PROGRAM,
        // The owner of a peer sees that this node needs its owner, and not why.
        "problems_open": problems_open(),
        "capabilities": capabilities.collect::<Vec<_>>(),
        "uptime_seconds": bus.started.elapsed().as_secs(),
        "issued_at": clock::text(now),
        // Peers ask again every few seconds. A longer validity would only help a replayed manifest.
        "expires_at": clock::text(now + TTL),
    }))
}
