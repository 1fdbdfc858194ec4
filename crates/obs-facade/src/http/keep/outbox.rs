//! Marks that wait for their peers: a bounded queue for each.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

use obs_trace::TraceId;

use super::receive::MAX_IDS;

/// Maximum number of marks that wait for a peer, as many as it keeps. Older ones make room.
const MAX_WAITING: usize = 2_048;
/// Maximum number of peers, as many as a node may have in its configuration.
const MAX_PEERS: usize = 64;
/// Time after which a mark is given up. The peer is not there, and its ring has gone on.
const MAX_AGE: Duration = Duration::from_secs(3_600);
/// Time for which a mark waits for others, so that they share a request. The trace of the peer may also still end meanwhile.
const GATHER: Duration = Duration::from_millis(50);
/// Delays after which marks are sent again that the peer did not keep.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// Marks that wait for the peers.
pub(super) struct Outbox<P> {
    queues: HashMap<P, Queue>,
    first_retry: Duration,
    last_retry: Duration,
}

/// Marks that wait for one peer, oldest first.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Mark>,
    /// Marks under way. They are counted as waiting.
    under_way: Vec<Mark>,
    /// Requests that failed since the last one that did not.
    failures: u32,
    /// Time before which the peer is not asked again.
    not_before: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    id: TraceId,
    since: Instant,
    due: Instant,
    /// Times that the peer did not keep it.
    left: usize,
}

/// Marks that are given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// The queue was full, or there are too many peers.
    pub(super) dropped: u64,
    pub(super) expired: u64,
    /// The peer did not keep the mark at any time.
    pub(super) left: u64,
}

impl<P: Clone + Eq + Hash> Outbox<P> {
    pub(super) fn new(first_retry: Duration, last_retry: Duration) -> Outbox<P> {
        Outbox { queues: HashMap::new(), first_retry, last_retry }
    }

    /// Adds a mark for a peer.
    pub(super) fn push(&mut self, peer: P, id: TraceId, now: Instant) -> GivenUp {
        let mut given_up = GivenUp::default();
        if self.queues.len() >= MAX_PEERS && !self.queues.contains_key(&peer) {
            given_up.dropped = 1;
            return given_up;
        }
        let queue = self.queues.entry(peer).or_default();
        // A trace may end twice under one ID. One mark is enough for both.
        if queue.waiting.back().is_some_and(|last| last.id == id) {
            return given_up;
        }
        if queue.len() >= MAX_WAITING {
            queue.waiting.pop_front();
            given_up.dropped = 1;
        }
        queue.waiting.push_back(Mark { id, since: now, due: now + GATHER, left: 0 });
        given_up
    }

    /// Returns the number of marks that wait or are under way.
    pub(super) fn len(&self) -> usize {
        self.queues.values().map(Queue::len).sum()
    }

    /// Takes the marks that are due, one request for each peer without one under way.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(P, Vec<TraceId>)> {
        let due = self.queues.iter_mut().filter(|(_, queue)| queue.due_at().is_some_and(|due| due <= now));
        due.map(|(peer, queue)| (peer.clone(), queue.take(now))).filter(|(_, ids)| !ids.is_empty()).collect()
    }

    /// Returns the time at which marks are due next.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.queues.values().filter_map(Queue::due_at).min()
    }

    /// Notes that a peer has answered. `left` are the marks that it did not keep.
    pub(super) fn answered(&mut self, peer: &P, left: &[TraceId], now: Instant) -> GivenUp {
        let mut given_up = GivenUp::default();
        let Some(queue) = self.queues.get_mut(peer) else { return given_up };
        (queue.failures, queue.not_before) = (0, None);
        for mark in std::mem::take(&mut queue.under_way) {
            if !left.contains(&mark.id) {
                continue;
            }
            match AGAIN.get(mark.left) {
                Some(delay) => {
                    queue.waiting.push_back(Mark { due: now + *delay, left: mark.left + 1, ..mark });
                }
                None => given_up.left += 1,
            }
        }
        given_up
    }

    /// Notes that a request to a peer failed. Its marks wait for the next one.
    pub(super) fn failed(&mut self, peer: &P, now: Instant) -> GivenUp {
        let mut given_up = GivenUp::default();
        let Some(queue) = self.queues.get_mut(peer) else { return given_up };
        for mark in std::mem::take(&mut queue.under_way).into_iter().rev() {
            match now.saturating_duration_since(mark.since) > MAX_AGE {
                true => given_up.expired += 1,
                false => queue.waiting.push_front(mark),
            }
        }
        // Doubles up to the last delay.
        let delay = self.first_retry.saturating_mul(1 << queue.failures.min(16)).min(self.last_retry);
        queue.failures = queue.failures.saturating_add(1);
        queue.not_before = Some(now + delay);
        given_up
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.waiting.len() + self.under_way.len()
    }

    fn due_at(&self) -> Option<Instant> {
        if !self.under_way.is_empty() {
            return None;
        }
        let due = self.waiting.iter().map(|mark| mark.due).min()?;
        Some(self.not_before.map_or(due, |not_before| due.max(not_before)))
    }

    /// Takes up to [`MAX_IDS`] marks that are due.
    fn take(&mut self, now: Instant) -> Vec<TraceId> {
        let mut later = VecDeque::with_capacity(self.waiting.len());
        for mark in std::mem::take(&mut self.waiting) {
            match mark.due <= now && self.under_way.len() < MAX_IDS {
                true => self.under_way.push(mark),
                false => later.push_back(mark),
            }
        }
        self.waiting = later;
        self.under_way.iter().map(|mark| mark.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const LAST: Duration = Duration::from_secs(30);

    fn outbox() -> Outbox<&'static str> {
        Outbox::new(FIRST, LAST)
    }

    fn ids(count: usize) -> Vec<TraceId> {
        (0..count).map(|_| TraceId::generate()).collect()
    }

    #[test]
    fn marks_share_requests_and_a_peer_has_one_at_a_time() {
        let (mut outbox, start, ids) = (outbox(), Instant::now(), ids(300));
        for id in &ids {
            outbox.push("ada", *id, start);
            outbox.push("ada", *id, start);
        }
        assert_eq!((outbox.len(), outbox.due_at()), (300, Some(start + GATHER)));
        assert!(outbox.take_due(start).is_empty(), "they wait for others");
        let now = start + GATHER;
        let first = outbox.take_due(now);
        assert_eq!(first, [("ada", ids[..MAX_IDS].to_vec())]);
        assert!(outbox.take_due(now).is_empty() && outbox.due_at().is_none(), "one request at a time");
        assert_eq!(outbox.answered(&"ada", &[], now), GivenUp::default());
        assert_eq!(outbox.take_due(now), [("ada", ids[MAX_IDS..].to_vec())]);
        outbox.answered(&"ada", &[], now);
        assert_eq!((outbox.len(), outbox.due_at()), (0, None));
    }

    #[test]
    fn a_silent_peer_is_asked_less_and_less_often_until_its_marks_expire() {
        let (mut outbox, mut now, id) = (outbox(), Instant::now(), TraceId::generate());
        let start = now;
        outbox.push("ada", id, now);
        outbox.push("bob", id, now);
        now += GATHER;
        let mut requests = 0;
        let expired = loop {
            let due = outbox.take_due(now);
            assert!(due.iter().all(|(_, ids)| *ids == [id]));
            let asks_ada = due.iter().any(|(peer, _)| *peer == "ada");
            requests += usize::from(asks_ada);
            outbox.answered(&"bob", &[], now);
            if asks_ada && outbox.failed(&"ada", now).expired > 0 {
                break now - start;
            }
            now = outbox.due_at().unwrap();
        };
        assert!((MAX_AGE..MAX_AGE + 2 * LAST).contains(&expired), "{expired:?}");
        assert!((120..140).contains(&requests), "{requests}");
        assert_eq!(outbox.len(), 0);
        outbox.push("ada", id, now);
        outbox.push("bob", id, now);
        assert_eq!(outbox.take_due(now + GATHER).len(), 1, "bob does not wait for ada");
    }

    #[test]
    fn a_mark_that_a_peer_does_not_keep_is_sent_three_times() {
        let (mut outbox, mut now, id) = (outbox(), Instant::now(), TraceId::generate());
        outbox.push("ada", id, now);
        for delay in AGAIN {
            now += GATHER;
            assert_eq!(outbox.take_due(now).len(), 1);
            assert_eq!(outbox.answered(&"ada", &[id], now), GivenUp::default());
            assert_eq!(outbox.due_at(), Some(now + delay));
            now += delay;
        }
        outbox.take_due(now);
        assert_eq!(outbox.answered(&"ada", &[id], now), GivenUp { left: 1, ..GivenUp::default() });
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn queues_and_peers_are_bounded() {
        let now = Instant::now();
        let mut outbox = Outbox::new(FIRST, LAST);
        let mut dropped = 0;
        for id in ids(MAX_WAITING + 10) {
            dropped += outbox.push(0, id, now).dropped;
        }
        for peer in 1..100 {
            dropped += outbox.push(peer, TraceId::generate(), now).dropped;
        }
        assert_eq!(dropped, 10 + 36);
        assert_eq!(outbox.len(), MAX_WAITING + MAX_PEERS - 1);
    }
}
