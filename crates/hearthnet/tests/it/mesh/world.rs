//! Network between the nodes of the simulation, and what it has seen.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use obs_facade::trace::TraceId;

use super::plan::{NODES, mixed};

/// Network and its observer.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) ports: [u16; NODES],
    /// Whether no mark reaches another node: neither with an answer nor in a request.
    pub(crate) loses_all_marks: bool,
    /// Links that are cut, by the smaller number of their two nodes.
    cut: [AtomicBool; NODES],
    /// Calls that nodes have taken.
    pub(crate) calls: AtomicU64,
    /// Requests with marks that nodes have sent, also those that were lost.
    pub(crate) mark_requests: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Nodes that took part in each trace, a bit for each.
    took_part: HashMap<TraceId, u8>,
    /// Traces that a request with marks named.
    marked: HashSet<TraceId>,
}

impl World {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub(crate) fn took_part(&self, id: TraceId, node: usize) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        *self.seen().took_part.entry(id).or_default() |= 1 << node;
    }

    /// Returns the nodes that took part in a trace.
    pub(crate) fn nodes_of(&self, id: TraceId) -> Vec<usize> {
        let bits = self.seen().took_part.get(&id).copied().unwrap_or_default();
        (0..NODES).filter(|node| bits >> node & 1 == 1).collect()
    }

    pub(crate) fn cut(&self, link: usize, is_cut: bool) {
        self.cut[link].store(is_cut, Ordering::Relaxed);
    }

    /// Returns whether two nodes cannot reach each other.
    pub(crate) fn is_cut(&self, one: usize, other: usize) -> bool {
        (one.min(other)..one.max(other)).any(|link| self.cut[link].load(Ordering::Relaxed))
    }

    /// Notes a request with marks. Returns which half of it the network loses: one in five loses the first, and one in five
    /// the second.
    pub(crate) fn marks(&self, ids: &[TraceId]) -> (bool, bool) {
        let number = self.mark_requests.fetch_add(1, Ordering::Relaxed);
        self.seen().marked.extend(ids);
        if self.loses_all_marks {
            return (true, false);
        }
        match mixed(number, 7) % 5 {
            0 => (true, false),
            1 => (false, true),
            _ => (false, false),
        }
    }

    pub(crate) fn has_marked(&self, id: TraceId) -> bool {
        self.seen().marked.contains(&id)
    }
}
