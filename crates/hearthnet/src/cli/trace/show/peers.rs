//! Parts of a trace on other nodes.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use obs_facade::trace::IdPattern;

use super::records;
use crate::cli::node_url::NodeUrl;
use crate::trace::part::{self, Part};

/// Node to ask, and its name if one is known.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) url: NodeUrl,
    pub(super) name: Option<String>,
}

/// Answer of a peer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) peer: Peer,
    /// Its parts, or the reason for which there are none.
    pub(super) parts: Result<Vec<Part>, String>,
}

/// Maximum time of each peer. All are asked side by side.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time beyond [`PATIENCE`] for a thread that does not keep it, as in a look-up of a name.
const GRACE: Duration = Duration::from_millis(300);
/// Maximum number of peers that are asked, as many as a configuration may have.
const MAX_PEERS: usize = 64;
/// Maximum length of a name that a peer gives itself.
const MAX_NAME_CHARS: usize = 64;

impl Answer {
    pub(super) fn parts(&self) -> &[Part] {
        self.parts.as_deref().unwrap_or_default()
    }
}

impl Peer {
    /// Returns the name, else the address.
    pub(super) fn label(&self) -> String {
        match &self.name {
            Some(name) => name.chars().take(MAX_NAME_CHARS).collect(),
            None => self.url.to_string(),
        }
    }
}

/// Asks the peers for their parts of the trace `id`. The answers are in the order of the peers.
pub(super) fn ask(peers: &[Peer], id: &IdPattern) -> Vec<Answer> {
    let (sender, receiver) = mpsc::channel();
    let asked = &peers[..peers.len().min(MAX_PEERS)];
    for (at, peer) in asked.iter().cloned().enumerate() {
        let (sender, id) = (sender.clone(), id.clone());
        let asking = move || {
            // The receiver is gone if its patience has ended.
            let _ = sender.send((at, parts(&peer, &id)));
        };
        // Without a thread, the peer is left out like one that does not answer.
        let _ = thread::Builder::new().name("peer".to_owned()).spawn(asking);
    }
    drop(sender);
    let mut answers: Vec<Option<Result<Vec<Part>, String>>> = asked.iter().map(|_| None).collect();
    let end = Instant::now() + PATIENCE + GRACE;
    while let Ok((at, parts)) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
        answers[at] = Some(parts);
    }
    let late = || Err(format!("no answer within {} s", PATIENCE.as_secs()));
    let answers = asked.iter().zip(answers);
    answers.map(|(peer, parts)| Answer { peer: peer.clone(), parts: parts.unwrap_or_else(late) }).collect()
}

fn parts(peer: &Peer, id: &IdPattern) -> Result<Vec<Part>, String> {
    let found = records::ask(&peer.url, id, PATIENCE).map_err(|failure| {
        // The advice is for the owner of that node.
        failure.to_string().split("; ").next().unwrap_or_default().to_owned()
    })?;
    let mut parts = part::parts(found, false, &peer.label());
    // Another node may answer with anything.
    parts.retain(|part| part.trace.id().is_some_and(|found| id.matches(found)));
    parts.truncate(part::MAX_RECORDS);
    Ok(parts)
}
