//! Requests for the manifests of the peers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use obs_facade::warn_limited;
use reqwest::Url;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::manifest_of;
use super::silence::Silence;
use crate::bus::logger::LOG;
use crate::bus::state::Bus;
use crate::watch::beat::Beats;
use crate::wire::client;
use crate::wire::error::cause;
use crate::wire::manifest::Manifest;

// Less than the time between two beats, so that a hanging peer delays no later request.
const PATIENCE: Duration = Duration::from_secs(3);
// A manifest of 64 capabilities has a few kilobytes. The rest is room for fields of later versions.
const MAX_MANIFEST_BYTES: usize = 256 << 10;

/// Requests the manifest of each peer at each beat, until the set is dropped.
pub(crate) fn watch_all(bus: &Arc<Bus>, beats: &Beats) -> JoinSet<()> {
    (0..bus.peers.len()).map(|index| watch(bus.clone(), index, beats.clone())).collect()
}

/// Requests the manifest of the peer at `index` for as long as the node runs. A silent peer is noticed within a beat and the
/// patience.
async fn watch(bus: Arc<Bus>, index: usize, mut beats: Beats) {
    let url = manifest_of(&bus.peers.urls[index]);
    // Without a user and password that the URL may hold.
    let address = cause::target(&url);
    let mut silence = Silence::default();
    loop {
        beats.next().await;
        let asked = Instant::now();
        let mut answer = match ask(&bus.http, url.clone()).await {
            // A node that forwards to itself would answer its own call with its own error.
            Ok(manifest) if manifest.node_id == bus.profile.identity.node_id() => {
                Err("the address is that of this node".to_owned())
            }
            other => other,
        };
        match &mut answer {
            Ok(manifest) => {
                silence.ends();
                bus.peers.note(index, manifest, asked.elapsed());
            }
            Err(reason) => {
                if let Some(unlogged) = silence.goes_on(reason, Instant::now()) {
                    // The key is an address of the configuration, so that no peer hides another one.
                    warn_limited!(
                        LOG, address, address = address, reason = reason.as_str(), unlogged = unlogged;
                        "no manifest from a peer"
                    );
                }
                bus.peers.failed(index, reason.clone());
            }
        }
        if bus.peers.learn(index, answer.ok()) {
            let us = bus.profile.identity.node_id();
            // A peer may be set up anew with another key. The series of the old one would stay for ever.
            bus.health.retain(|capability, id| id == us || bus.peers.knows(capability, id));
        }
    }
}

async fn ask(http: &reqwest::Client, url: Url) -> Result<Manifest, String> {
    let manifest = async {
        let response = http.get(url).send().await.map_err(|error| client::reason(&error))?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            return Err(format!("HTTP {}", status.as_u16()));
        }
        let read = client::read(response, MAX_MANIFEST_BYTES, PATIENCE).await;
        Manifest::parse(&read.map_err(|error| error.cause())?).map_err(str::to_owned)
    };
    let late = || format!("no answer within {} s", PATIENCE.as_secs());
    timeout(PATIENCE, manifest).await.unwrap_or_else(|_| Err(late()))
}
