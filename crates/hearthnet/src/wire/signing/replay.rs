//! Memory of signed calls, which answers each of them once.
//!
//! A call is remembered until its timestamp expires. If there is no room, the oldest calls of a signer are forgotten,
//! and the signer may send only newer ones from then on. A forgotten call is never answered again.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::signature::{MAX_AGE, Proof};
use crate::wire::host::host;

/// Maximum number of calls of one signer. A peer that sends them in order may send any number a second.
// Some 50 calls a second over the five minutes of a valid timestamp.
const SIGNER_CALLS: usize = 16_384;
/// Maximum number of calls of all signers that first called from one host, except peers.
const HOST_CALLS: usize = 32_768;
/// Maximum number of calls of all signers, except peers. They take about 5 MB.
const ALL_CALLS: usize = 131_072;
/// Interval between two searches for expired calls, in microseconds.
const SWEEP_INTERVAL: i64 = 10_000_000;

/// Signed calls of the last minutes.
#[derive(Debug)]
pub(crate) struct Replays {
    /// Start of this process, in microseconds since 1970. An earlier process may have answered the calls before it.
    start: i64,
    // Seeded, so that no signer can make two calls collide.
    hasher: RandomState,
    // Invariant: `all` and the sum of `hosts` are the costs of all windows with a payer.
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    signers: HashMap<String, Window>,
    /// Number of calls charged to each host.
    hosts: HashMap<IpAddr, usize>,
    all: usize,
    swept: i64,
}

/// Calls of one signer.
#[derive(Debug)]
struct Window {
    /// Timestamp in microseconds, and hash of the signature.
    calls: BTreeSet<(i64, u64)>,
    /// Timestamps up to this one are refused, because calls of that time were forgotten.
    floor: i64,
    /// Host that the calls are charged to. `None` for a peer, which has a window of its own.
    payer: Option<IpAddr>,
}

impl Replays {
    /// Creates an empty memory that refuses calls signed before `start`.
    pub(crate) fn new(start: DateTime<Utc>) -> Replays {
        // Timestamps may have whole seconds.
        let start = start.timestamp().saturating_mul(1_000_000);
        Replays { start, hasher: RandomState::new(), memory: Mutex::default() }
    }

    /// Remembers a verified call that came from `address` at the time `now`.
    ///
    /// # Errors
    ///
    /// Returns the reason for `hearthnet_signature_failures_total`: the call was answered before, or this cannot be
    /// ruled out.
    pub(crate) fn take(
        &self,
        proof: &Proof<'_>,
        peer: bool,
        address: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<(), &'static str> {
        if proof.timestamp < self.start {
            return Err("before_start");
        }
        let call = (proof.timestamp, self.hasher.hash_one(proof.signature));
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the call is stored, so that expired calls do not take its room.
        memory.sweep(now.timestamp_micros());
        memory.take(proof.signer, call, (!peer).then(|| host(address)))
    }
}

impl Memory {
    fn take(&mut self, signer: &str, call: (i64, u64), payer: Option<IpAddr>) -> Result<(), &'static str> {
        if payer.is_none() {
            self.free_of_charge(signer);
        }
        let Some(window) = self.signers.get_mut(signer) else {
            return self.take_first(signer, call, payer);
        };
        // Below the floor it cannot be known whether the call was answered. Refusing is the safe side.
        if call.0 <= window.floor || window.calls.contains(&call) {
            return Err("replayed");
        }
        let (payer, before) = (window.payer, window.cost());
        window.calls.insert(call);
        let full = window.calls.len() > SIGNER_CALLS || !has_room(&self.hosts, self.all, payer);
        if full && let Some((oldest, _)) = window.calls.pop_first() {
            // The floor rises to the timestamp that was forgotten, so that it is refused from now on.
            window.floor = oldest;
        }
        let more = window.cost() - before;
        self.charge(payer, more);
        Ok(())
    }

    fn take_first(
        &mut self,
        signer: &str,
        call: (i64, u64),
        payer: Option<IpAddr>,
    ) -> Result<(), &'static str> {
        if !has_room(&self.hosts, self.all, payer) {
            // Forgetting the call of another signer would let one host empty the memory.
            return Err("replay_memory_full");
        }
        let window = Window { calls: BTreeSet::from([call]), floor: i64::MIN, payer };
        self.signers.insert(signer.to_owned(), window);
        self.charge(payer, 1);
        Ok(())
    }

    fn charge(&mut self, payer: Option<IpAddr>, calls: usize) {
        if let Some(host) = payer {
            *self.hosts.entry(host).or_default() += calls;
            self.all += calls;
        }
    }

    /// Releases the calls of `signer` from the charge of its host, once it is known as a peer.
    fn free_of_charge(&mut self, signer: &str) {
        let Some(window) = self.signers.get_mut(signer) else { return };
        let Some(payer) = window.payer.take() else { return };
        let cost = window.cost();
        self.all -= cost;
        if let Some(calls) = self.hosts.get_mut(&payer) {
            *calls -= cost;
        }
    }

    /// Forgets the calls whose timestamps have expired.
    fn sweep(&mut self, now: i64) {
        if now.abs_diff(self.swept) < SWEEP_INTERVAL.unsigned_abs() {
            return;
        }
        self.swept = now;
        let oldest = now - MAX_AGE.num_microseconds().unwrap_or(i64::MAX);
        self.signers.retain(|_, window| {
            window.calls = window.calls.split_off(&(oldest, 0));
            !window.calls.is_empty() || window.floor >= oldest
        });
        (self.all, self.hosts) = (0, HashMap::new());
        let costs: Vec<_> = self.signers.values().map(|window| (window.payer, window.cost())).collect();
        for (payer, cost) in costs {
            self.charge(payer, cost);
        }
    }
}

fn has_room(hosts: &HashMap<IpAddr, usize>, all: usize, payer: Option<IpAddr>) -> bool {
    let of_host = |host| hosts.get(&host).copied().unwrap_or_default();
    payer.is_none_or(|host| all < ALL_CALLS && of_host(host) < HOST_CALLS)
}

impl Window {
    /// Number of calls that are charged. A floor without calls counts as one.
    fn cost(&self) -> usize {
        self.calls.len().max(1)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    const HOME: &str = "192.168.1.9";

    struct Case(Replays);

    impl Case {
        fn new() -> Case {
            Case(Replays::new(NOW))
        }

        fn take(
            &self,
            signer: &str,
            signature: usize,
            peer: bool,
            address: &str,
        ) -> Result<(), &'static str> {
            self.take_at(signer, signature, peer, address, NOW.timestamp_micros() + signature as i64, NOW)
        }

        fn take_at(
            &self,
            signer: &str,
            signature: usize,
            peer: bool,
            address: &str,
            timestamp: i64,
            now: DateTime<Utc>,
        ) -> Result<(), &'static str> {
            let signature = format!("{signer}{signature}");
            let proof = Proof { signer, signature: &signature, timestamp };
            self.0.take(&proof, peer, address.parse().unwrap(), now)
        }
    }

    #[test]
    fn a_call_is_accepted_once_until_its_timestamp_expires() {
        let case = Case::new();
        assert_eq!(case.take("ada", 1, false, HOME), Ok(()));
        for address in [HOME, "10.0.0.1", "2001:db8::1"] {
            assert_eq!(case.take("ada", 1, false, address), Err("replayed"));
            assert_eq!(case.take("ada", 1, true, address), Err("replayed"), "as a peer");
        }
        let at = |after: TimeDelta| {
            let timestamp = NOW.timestamp_micros() + 1;
            case.take_at("ada", 1, false, HOME, timestamp, NOW + after)
        };
        assert_eq!(at(MAX_AGE - TimeDelta::seconds(1)), Err("replayed"));
        assert_eq!(at(MAX_AGE + TimeDelta::seconds(20)), Ok(()), "the signature's age is checked before");
        assert_eq!(case.0.memory.lock().unwrap().all, 1);
    }

    #[test]
    fn a_call_from_before_the_start_is_refused() {
        let case = Case::new();
        let before = NOW.timestamp_micros() - 1;
        assert_eq!(case.take_at("ada", 1, true, HOME, before, NOW), Err("before_start"));
    }

    #[test]
    fn a_signer_that_floods_forgets_its_own_oldest_calls_and_cannot_repeat_them() {
        let case = Case::new();
        assert_eq!(case.take("ada", 0, false, HOME), Ok(()));
        for call in 0..3 * SIGNER_CALLS {
            assert_eq!(case.take("eve", call, false, HOME), Ok(()));
        }
        for call in [0, 1, SIGNER_CALLS, 2 * SIGNER_CALLS, 3 * SIGNER_CALLS - 1] {
            assert_eq!(case.take("eve", call, false, HOME), Err("replayed"), "{call}");
        }
        assert_eq!(case.take("ada", 0, false, HOME), Err("replayed"));
        assert_eq!(case.take("ada", 1, false, HOME), Ok(()));
        assert!(case.0.memory.lock().unwrap().all <= SIGNER_CALLS + 2);
    }

    #[test]
    fn invented_signers_of_a_host_keep_out_neither_known_ones_nor_other_hosts() {
        let case = Case::new();
        assert_eq!(case.take("ada", 0, false, HOME), Ok(()));
        let refused = (0..HOST_CALLS + 100)
            .filter(|signer| case.take(&signer.to_string(), 0, false, HOME) == Err("replay_memory_full"));
        assert_eq!(refused.count(), 101);
        assert_eq!(case.take("ada", 1, false, HOME), Ok(()), "a signer that was here before");
        assert_eq!(case.take("ada", 1, false, HOME), Err("replayed"));
        assert_eq!(case.take("ada", 0, false, HOME), Err("replayed"), "forgotten, and refused all the same");
        assert_eq!(case.take("bob", 0, false, "192.168.1.8"), Ok(()), "another host");
        assert_eq!(case.take("peer", 0, true, HOME), Ok(()));
        assert_eq!(case.take("peer", 0, true, HOME), Err("replayed"));
    }

    #[test]
    fn all_hosts_together_fill_a_bounded_memory() {
        let case = Case::new();
        for call in 0..ALL_CALLS + 1000 {
            let _ = case.take(&call.to_string(), 0, false, &format!("10.0.{}.1", call % 250));
        }
        let memory = case.0.memory.lock().unwrap();
        assert_eq!((memory.all, memory.signers.len()), (ALL_CALLS, ALL_CALLS));
    }

    #[test]
    fn a_signer_that_becomes_a_peer_is_no_longer_charged_to_its_host() {
        let case = Case::new();
        for call in 0..10 {
            assert_eq!(case.take("peer", call, call >= 5, HOME), Ok(()));
        }
        assert_eq!(case.0.memory.lock().unwrap().all, 0);
        assert_eq!(case.take("peer", 2, true, HOME), Err("replayed"));
    }
}
