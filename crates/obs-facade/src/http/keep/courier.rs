//! Task that brings marks to the peers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use obs_log::{Logger, info_limited};
use obs_trace::{Observer, Store, TraceId, TraceRecord, Value};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep_until, timeout};

use super::answer::PEER_KEEPS;
use super::carrier::Carrier;
use super::counts;
use super::outbox::{GivenUp, Outbox};

static LOG: Logger = Logger::new("hearthnet.trace");

/// Maximum time of a request to a peer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Courier of marks to peers; see [the module](super).
///
/// ```no_run
/// use std::time::Duration;
/// # use obs_facade::http::keep::{Carrier, Courier};
///
/// # fn run(carrier: impl Carrier) {
/// let running = Courier::new(carrier).retries(Duration::from_secs(1), Duration::from_secs(60)).start();
/// # drop(running);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a courier brings nothing before it is started"]
pub struct Courier<C> {
    carrier: C,
    first_retry: Duration,
    last_retry: Duration,
}

impl<C: Carrier> Courier<C> {
    /// Returns a courier that uses this transport.
    pub fn new(carrier: C) -> Courier<C> {
        let (first_retry, last_retry) = (Duration::from_millis(500), Duration::from_secs(15));
        Courier { carrier, first_retry, last_retry }
    }

    /// Sets the delay after the first request to a peer that failed, which doubles up to the second one: 0.5 s and 15 s by
    /// default.
    pub fn retries(mut self, first: Duration, last: Duration) -> Courier<C> {
        (self.first_retry, self.last_retry) = (first, last);
        self
    }

    /// Begins to tell peers of the traces of which a part fails from now on, until the result is dropped.
    ///
    /// # Panics
    /// There is no tokio runtime, or it has no timer.
    pub fn start(self) -> RunningCourier {
        let outbox = Mutex::new(Outbox::new(self.first_retry, self.last_retry));
        let shared = Arc::new(Shared { carrier: self.carrier, outbox, changed: Notify::new() });
        if !Store::current().observe_broken(Arc::new(Note(Arc::downgrade(&shared)))) {
            obs_log::warn!(
                logger: LOG;
                "peers are not told of failed traces: the process has started 16 couriers already"
            );
        }
        RunningCourier { task: tokio::spawn(obs_trace::carry(run(shared))).abort_handle() }
    }
}

/// Courier that has been started. It ends when it is dropped.
#[derive(Debug)]
#[must_use = "the courier ends when this is dropped"]
pub struct RunningCourier {
    task: AbortHandle,
}

impl Drop for RunningCourier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// State that the task and the observer share.
struct Shared<C: Carrier> {
    carrier: C,
    /// Held for a look at one queue. No code of the carrier runs under it.
    outbox: Mutex<Outbox<C::Peer>>,
    changed: Notify,
}

impl<C: Carrier> Shared<C> {
    fn outbox(&self) -> MutexGuard<'_, Outbox<C::Peer>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Observer of the traces of which a part failed. Weak, because a store never forgets its observers.
struct Note<C: Carrier>(Weak<Shared<C>>);

impl<C: Carrier> Observer for Note<C> {
    fn completed(&self, record: &TraceRecord) {
        let Some(shared) = self.0.upgrade().filter(|_| record.span_count() > 0) else { return };
        let peers = peers_of(&shared.carrier, record);
        if peers.is_empty() {
            return;
        }
        let now = Instant::now();
        for peer in peers {
            let given_up = shared.outbox().push(peer, record.trace_id(), now);
            note(given_up);
        }
        shared.changed.notify_one();
    }
}

/// Returns the peers that the trace asked, apart from those whose answer had the mark.
fn peers_of<C: Carrier>(carrier: &C, record: &TraceRecord) -> Vec<C::Peer> {
    let mut peers: Vec<C::Peer> = Vec::new();
    for span in record.spans() {
        if !span.is_client() || span.field(PEER_KEEPS).is_some() {
            continue;
        }
        let host = span.field("server.address").and_then(Value::as_str);
        let port = span.field("server.port").and_then(|port| port.to_string().parse().ok());
        if let Some(peer) = host.zip(port).and_then(|(host, port)| carrier.peer_at(host, port))
            && !peers.contains(&peer)
        {
            peers.push(peer);
        }
    }
    peers
}

fn note(given_up: GivenUp) {
    let GivenUp { dropped, expired, left } = given_up;
    for (result, count) in [("dropped", dropped), ("expired", expired), ("left", left)] {
        if count > 0 {
            counts::marks().with(["sent", result]).add(count);
        }
    }
}

/// Answer of a peer: the IDs that it got, and those of them that it did not keep.
struct Answer<P> {
    peer: P,
    sent: usize,
    left: Result<Vec<TraceId>, String>,
}

/// Sends what is due, until the task is aborted.
async fn run<C: Carrier>(shared: Arc<Shared<C>>) {
    let mut requests = JoinSet::new();
    loop {
        let (due, next, waiting) = {
            let mut outbox = shared.outbox();
            (outbox.take_due(Instant::now()), outbox.due_at(), outbox.len())
        };
        counts::waiting().set(waiting as f64);
        for (peer, ids) in due {
            requests.spawn(ask(Arc::clone(&shared), peer, ids));
        }
        let wake_at = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
        tokio::select! {
            Some(ended) = requests.join_next() => {
                // A request that panicked has put its marks back.
                ended.into_iter().for_each(|answer| take(&shared, answer));
            }
            () = shared.changed.notified() => {}
            () = sleep_until(wake_at.into()) => {}
        }
    }
}

/// Request to a peer. If its carrier panics, the marks wait for the next request, and the peer is not taken as busy for ever.
struct UnderWay<'a, C: Carrier> {
    shared: &'a Shared<C>,
    peer: &'a C::Peer,
    is_over: bool,
}

impl<C: Carrier> Drop for UnderWay<'_, C> {
    fn drop(&mut self) {
        if !self.is_over {
            counts::requests().inc(["failed"]);
            note(self.shared.outbox().failed(self.peer, Instant::now()));
        }
    }
}

async fn ask<C: Carrier>(shared: Arc<Shared<C>>, peer: C::Peer, ids: Vec<TraceId>) -> Answer<C::Peer> {
    let mut under_way = UnderWay { shared: &shared, peer: &peer, is_over: false };
    let left = match timeout(PATIENCE, shared.carrier.carry(peer.clone(), &ids)).await {
        Ok(Ok(left)) => Ok(left),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    under_way.is_over = true;
    drop(under_way);
    Answer { peer, sent: ids.len(), left }
}

fn take<C: Carrier>(shared: &Shared<C>, answer: Answer<C::Peer>) {
    let now = Instant::now();
    let given_up = match answer.left {
        Ok(left) => {
            counts::requests().inc(["ok"]);
            let delivered = answer.sent.saturating_sub(left.len());
            counts::marks().with(["sent", "delivered"]).add(delivered as u64);
            shared.outbox().answered(&answer.peer, &left, now)
        }
        Err(error) => {
            counts::requests().inc(["failed"]);
            // One line for all peers: the log tells a silent peer elsewhere.
            info_limited!(LOG, "carry", error = error.as_str(); "marks of traces wait for a peer");
            shared.outbox().failed(&answer.peer, now)
        }
    };
    note(given_up);
}
