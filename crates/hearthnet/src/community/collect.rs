//! Requests of the collecting node for the shares of its peers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use obs_community::{Community, Share};
use obs_facade::{Logger, warn_limited};
use reqwest::{StatusCode, Url};
use serde_json::json;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use super::counts::count;
use super::document::{Expected, Received, Wrong};
use super::federation::Federation;
use super::names::SHARE;
use super::store;
use crate::bus::Bus;
use crate::wire::client;
use crate::wire::error::cause;

static LOG: Logger = Logger::new(module_path!());

/// Maximum time for the answer of a peer, and for the disk.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum size of an answer. A share of 64 capabilities with all their buckets has less than 100 KB.
const MAX_ANSWER_BYTES: usize = 128 << 10;

/// Collecting node.
pub(super) struct Collector {
    community: Community,
    /// Last period of each node whose share was taken.
    taken: BTreeMap<String, u64>,
}

impl Collector {
    /// Creates the collector. The figures of the past come from the disk.
    pub(super) async fn new(federation: &Arc<Federation>) -> Collector {
        let load = |file: &Path, federation: &Federation| {
            let history = store::load(file)?;
            *federation.snapshots.history() = history;
            Ok(())
        };
        on_disk(federation, load).await;
        Collector { community: Community::new(federation.rules()), taken: BTreeMap::new() }
    }

    /// Asks all peers, and publishes the figures of the period.
    pub(super) async fn collect(&mut self, federation: &Arc<Federation>, period: u64, own: Option<Share>) {
        self.forget(period);
        let mut shares: BTreeMap<String, Share> = BTreeMap::new();
        shares.extend(own.map(|own| (federation.bus.node_id().to_owned(), own)));
        for (address, answer) in ask_all(federation, period).await {
            let taken = answer.and_then(|received| self.take(received, &mut shares));
            let result = taken.err().unwrap_or("ok");
            count(result);
            if !matches!(result, "ok" | "unreachable" | "declined") {
                // The key is an address of the configuration, so that no peer hides another one.
                warn_limited!(LOG, address, address = address.as_str(), result = result; "share of a peer refused");
            }
        }
        self.community.tick(&shares);
        federation.set_page(self.community.page());
        let hour = period.saturating_mul(federation.interval().as_secs()) / 3_600;
        let changes = {
            let mut history = federation.snapshots.history();
            history.note(hour, &self.community);
            history.changes(hour)
        };
        if !changes.is_empty() {
            on_disk(federation, move |file, _| store::write(file, &changes)).await;
        }
    }

    /// Forgets which nodes gave a share in other periods than this one and the one before. Shares of those are refused by their
    /// period anyway. If the clock is set back, each period comes a second time, and its shares must not count as repeated.
    fn forget(&mut self, period: u64) {
        self.taken.retain(|_, taken| *taken <= period && taken.saturating_add(1) >= period);
    }

    /// Takes a share once.
    fn take(&mut self, received: Received, shares: &mut BTreeMap<String, Share>) -> Result<(), Wrong> {
        let Received { node_id, period, share } = received;
        if self.taken.get(&node_id).is_some_and(|taken| *taken >= period) {
            // The same node at a second address, or an answer that came before.
            return Err("repeated");
        }
        self.taken.insert(node_id.clone(), period);
        shares.insert(node_id, share);
        Ok(())
    }
}

/// Reads or writes the file of the figures, without which the node goes on.
async fn on_disk(
    federation: &Arc<Federation>,
    act: impl FnOnce(&Path, &Federation) -> rusqlite::Result<()> + Send + 'static,
) {
    let of = federation.clone();
    // A disk may hang for as long as it likes.
    let acted = timeout(PATIENCE, spawn_blocking(move || act(&of.file, &of))).await;
    if let Ok(Ok(Err(error))) = acted {
        warn_limited!(LOG, "figures", error:% = error; "the figures of the community cannot be kept on disk");
    }
}

/// Asks all peers at once. Returns their addresses and answers in the order of the configuration.
async fn ask_all(federation: &Arc<Federation>, period: u64) -> Vec<(String, Result<Received, Wrong>)> {
    let patience = PATIENCE.min(federation.interval() / 2);
    let mut asking = JoinSet::new();
    for (index, (url, _)) in federation.bus.peer_addresses().into_iter().enumerate() {
        let federation = federation.clone();
        asking.spawn(async move {
            let address = cause::target(&url);
            let answer = timeout(patience, ask(&federation, &url, period, patience)).await;
            (index, address, answer.unwrap_or(Err("unreachable")))
        });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by_key(|(index, ..)| *index);
    answers.into_iter().map(|(_, address, answer)| (address, answer)).collect()
}

async fn ask(federation: &Federation, url: &Url, period: u64, patience: Duration) -> Result<Received, Wrong> {
    let bus: &Bus = &federation.bus;
    let body = json!({ "period": period });
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    bus.sign_request(&mut headers, SHARE, &body).map_err(|_| "unreachable")?;
    let request = bus.http().post(client::join(url, SHARE)).headers(headers).body(body.to_string());
    let response = request.send().await.map_err(|_| "unreachable")?;
    match response.status() {
        StatusCode::OK => {}
        // It has not consented, is of an earlier version, or has just started.
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE => {
            return Err("declined");
        }
        _ => return Err("malformed"),
    }
    let answer = client::read(response, MAX_ANSWER_BYTES, patience).await.map_err(|_| "malformed")?;
    let expected = Expected {
        node_id: bus.node_id(),
        community_id: bus.community_id(),
        tick_seconds: federation.interval().as_secs(),
        period,
    };
    expected.read(&answer)
}

#[cfg(test)]
mod tests {
    use obs_community::Rules;

    use super::*;

    #[test]
    fn a_share_is_taken_once_and_again_after_the_clock_was_set_back() {
        let mut collector = Collector { community: Community::new(Rules::default()), taken: BTreeMap::new() };
        let mut take = |now: u64, period: u64| {
            collector.forget(now);
            let received = Received { node_id: "ada".to_owned(), period, share: Share::default() };
            collector.take(received, &mut BTreeMap::new())
        };
        assert_eq!(take(1000, 1000), Ok(()));
        assert_eq!(take(1000, 1000), Err("repeated"), "at a second address");
        assert_eq!(take(1001, 1000), Err("repeated"), "an answer that came before");
        assert_eq!(take(1001, 1001), Ok(()));
        assert_eq!(take(900, 900), Ok(()), "the clock was set back");
    }
}
