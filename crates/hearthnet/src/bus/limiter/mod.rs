//! Rate limits on the calls of one caller to one capability: a soft limit that is logged, and a hard limit that
//! refuses.

mod failed_signatures;
mod signers;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use obs_facade::metrics::standard;
use obs_facade::{Logger, RateLimited, warn};

use self::failed_signatures::FailedSignatures;
use self::signers::Signers;
use crate::wire::caller::Caller;
use crate::wire::error::{CallError, Code};
use crate::wire::host::{host, is_localhost};

static LOG: RateLimited = RateLimited::new(Logger::new("hearthnet::limiter"));

/// Rate limits of `[transport]`.
pub(crate) struct Limiter {
    // Read once a call and held for no longer than a copy. A reload of the configuration replaces it.
    limits: RwLock<Arc<Limits>>,
    hasher: RandomState,
    signers: Signers,
}

/// Limits with the budgets that callers have left.
struct Limits {
    rates: [u32; 2],
    soft: Option<Limit>,
    hard: Option<Limit>,
    failed_signatures: FailedSignatures<(Kind, u16)>,
}

impl Limits {
    fn new(soft_rps: u32, hard_rps: u32) -> Limits {
        let limit = |rps| NonZeroU32::new(rps).map(|rps| RateLimiter::keyed(Quota::per_second(rps)));
        Limits {
            rates: [soft_rps, hard_rps],
            soft: limit(soft_rps),
            hard: limit(hard_rps),
            failed_signatures: FailedSignatures::new(hard_rps),
        }
    }
}

/// Pace of a caller whose call is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Usual,
    /// Above the soft limit.
    Fast,
}

impl Pace {
    /// Logs that `caller` is above the soft limit.
    pub(crate) fn log(self, capability: &str, caller: &Caller) {
        if self == Pace::Fast {
            let log = LOG.key("rate_soft");
            warn!(logger: caller.on(&log), capability = capability; "a call is above the soft limit");
        }
    }
}

/// Caller, as far as its identity is proven.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Party<'a> {
    /// Caller with an address and no valid signature.
    Address(IpAddr),
    /// Signer that is no peer, with its address.
    Signer(&'a str, IpAddr),
    /// Signer that is a configured peer.
    Peer(&'a str),
}

/// Limit by kind of caller and 16 bits of the hash of caller and capability. Invented callers cost a few megabytes at
/// most. The hash is seeded, so that no caller can aim at the budget of another one. Kinds share no budget.
type Limit = DefaultKeyedRateLimiter<(Kind, u16)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Localhost,
    V4,
    V6,
    Signer,
    Peer,
}

impl Limiter {
    /// Creates limits in calls a second. 0 is no limit.
    pub(crate) fn new(soft_rps: u32, hard_rps: u32) -> Limiter {
        Limiter {
            limits: RwLock::new(Arc::new(Limits::new(soft_rps, hard_rps))),
            hasher: RandomState::new(),
            signers: Signers::default(),
        }
    }

    /// Replaces the limits. Every caller starts with a full budget, unless nothing changes.
    pub(crate) fn set_rates(&self, soft_rps: u32, hard_rps: u32) {
        if self.limits().rates != [soft_rps, hard_rps] {
            let limits = Arc::new(Limits::new(soft_rps, hard_rps));
            *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
        }
    }

    fn limits(&self) -> Arc<Limits> {
        self.limits.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Admits a call of `party` to `capability`, or refuses it as `rate_limited`. The line `call failed` tells a refusal.
    pub(crate) fn admit(&self, party: Party<'_>, capability: &str) -> Result<Pace, CallError> {
        let (key, limits) = (self.key(party, capability), self.limits());
        // A check also takes a cell of the budget.
        let over = |limit: &Option<Limit>| limit.as_ref().is_some_and(|limit| limit.check_key(&key).is_err());
        // The hard limit is checked first: a refused call takes nothing from the soft one.
        if over(&limits.hard) {
            standard::rate_limited_total().with([capability, "hard"]).inc();
            return Err(Code::RATE_LIMITED
                .because("too many calls a second: call less often")
                .caused_by("one caller made more calls a second than the hard limit allows"));
        }
        if over(&limits.soft) {
            standard::rate_limited_total().with([capability, "soft"]).inc();
            return Ok(Pace::Fast);
        }
        Ok(Pace::Usual)
    }

    /// Admits the verification of a signature from `address`, or refuses the call as `rate_limited` after too many
    /// failures. A signature proves nothing before its verification, so that a peer behind the address waits too.
    pub(crate) fn admit_signature(&self, address: IpAddr, capability: &str) -> Result<(), CallError> {
        let key = self.key(Party::Address(address), "");
        if self.limits().failed_signatures.are_spent(&key, Instant::now()) {
            standard::rate_limited_total().with([capability, "hard"]).inc();
            return Err(Code::RATE_LIMITED
                .because("too many calls with a bad signature: call less often")
                .caused_by("signatures from this address keep failing, and no more are verified for a second")
                .advise(
                    "the caller has to sign with its own key, once for each call, and with a correct clock",
                ));
        }
        Ok(())
    }

    /// Counts an invalid signature from `address`.
    pub(crate) fn count_failed_signature(&self, address: IpAddr) {
        self.limits().failed_signatures.count(self.key(Party::Address(address), ""), Instant::now());
    }

    fn key(&self, party: Party<'_>, capability: &str) -> (Kind, u16) {
        match party {
            Party::Peer(signer) => (Kind::Peer, self.hash(signer, capability)),
            Party::Signer(signer, address) if self.signers.admit(signer, host(address)) => {
                (Kind::Signer, self.hash(signer, capability))
            }
            Party::Signer(_, address) | Party::Address(address) => {
                let kind = match host(address) {
                    // A kind of its own, so that flooding from outside never blocks commands on this machine.
                    _ if is_localhost(address) => Kind::Localhost,
                    IpAddr::V4(_) => Kind::V4,
                    IpAddr::V6(_) => Kind::V6,
                };
                (kind, self.hash(host(address), capability))
            }
        }
    }

    fn hash(&self, caller: impl std::hash::Hash, capability: &str) -> u16 {
        // 65 536 keys for each kind. Two callers that share one share its budget, which is rare among the callers of a
        // home.
        self.hasher.hash_one((caller, capability)) as u16
    }
}

#[cfg(test)]
mod tests {
    use obs_facade::metrics::Registry;

    use super::*;

    const ECHO: &str = "experimental.echo";

    fn address(text: &str) -> Party<'static> {
        Party::Address(text.parse().unwrap())
    }

    fn signer<'a>(name: &'a str, address: &str) -> Party<'a> {
        Party::Signer(name, address.parse().unwrap())
    }

    fn refused(limiter: &Limiter, party: Party<'_>, calls: usize) -> usize {
        (0..calls).filter(|_| limiter.admit(party, ECHO).is_err()).count()
    }

    #[test]
    fn each_caller_and_capability_has_a_soft_and_a_hard_limit() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let limiter = Limiter::new(10, 100);
        // A part of the budget is refilled while the loop runs.
        assert!((80..=100).contains(&refused(&limiter, address("10.0.0.1"), 200)));
        assert_eq!(refused(&limiter, address("10.0.0.2"), 100), 0);
        assert_eq!(limiter.admit(address("10.0.0.1"), "llm.chat"), Ok(Pace::Usual));
        let count = |reason| {
            let labels = [("capability", ECHO), ("reason", reason)];
            obs_facade::metrics::testing::value(&registry, "hearthnet_rate_limited_total", &labels).unwrap()
        };
        assert!(count("soft") >= 170.0, "{}", count("soft"));
        assert!(count("hard") >= 80.0, "{}", count("hard"));
    }

    #[test]
    fn new_rates_hold_at_once_and_the_same_rates_change_nothing() {
        let limiter = Limiter::new(0, 5);
        assert!(refused(&limiter, address("10.0.0.1"), 50) > 40);
        limiter.set_rates(0, 5);
        assert!(limiter.admit(address("10.0.0.1"), ECHO).is_err());
        limiter.set_rates(0, 100);
        assert_eq!(refused(&limiter, address("10.0.0.1"), 50), 0);
        limiter.set_rates(0, 0);
        assert_eq!(refused(&limiter, address("10.0.0.1"), 500), 0);
    }

    #[test]
    fn zero_is_no_limit() {
        assert_eq!(refused(&Limiter::new(0, 0), address("10.0.0.1"), 1000), 0);
    }

    #[test]
    fn an_address_is_an_ipv4_host_or_an_ipv6_network() {
        for (spent, same, other) in [
            ("10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"),
            ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
            ("127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"),
        ] {
            let limiter = Limiter::new(0, 1);
            assert_eq!(limiter.admit(address(spent), ECHO), Ok(Pace::Usual));
            assert!(limiter.admit(address(same), ECHO).is_err(), "{same}");
            assert_eq!(limiter.admit(address(other), ECHO), Ok(Pace::Usual), "{other}");
        }
    }

    #[test]
    fn a_signer_does_not_share_the_budget_of_its_address() {
        let limiter = Limiter::new(0, 5);
        refused(&limiter, address("10.0.0.1"), 50);
        assert_eq!(limiter.admit(signer("ada", "10.0.0.1"), ECHO), Ok(Pace::Usual));
        assert!(refused(&limiter, signer("ada", "10.0.0.1"), 50) > 0);
        assert!(limiter.admit(signer("ada", "10.0.0.9"), ECHO).is_err(), "whatever address it calls from");
        assert_eq!(limiter.admit(signer("bob", "10.0.0.1"), ECHO), Ok(Pace::Usual));
        assert_eq!(limiter.admit(Party::Peer("ada"), ECHO), Ok(Pace::Usual));
    }

    #[test]
    fn a_host_that_invents_signers_does_not_escape_its_limit() {
        let limiter = Limiter::new(0, 5);
        let names: Vec<_> = (0..1000).map(|name| name.to_string()).collect();
        let passed = names.iter().filter(|name| limiter.admit(signer(name, "10.0.0.1"), ECHO).is_ok());
        // One call of each signer with a budget of its own, and the budget of the address with its refill.
        assert!(passed.count() < 100);
        assert_eq!(limiter.admit(signer("ada", "10.0.0.2"), ECHO), Ok(Pace::Usual));
        assert_eq!(limiter.admit(Party::Peer("bob"), ECHO), Ok(Pace::Usual));
    }

    #[test]
    fn invented_callers_take_bounded_memory_and_block_no_other_kind() {
        let limiter = Limiter::new(0, 1);
        for caller in 0..300_000_u128 {
            let network = std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) | (caller << 64));
            let _ = limiter.admit(Party::Address(network.into()), ECHO);
        }
        assert_eq!(limiter.admit(address("10.0.0.1"), ECHO), Ok(Pace::Usual));
        assert_eq!(limiter.admit(address("127.0.0.1"), ECHO), Ok(Pace::Usual));
        assert_eq!(limiter.admit(signer("ada", "2001:db8::1"), ECHO), Ok(Pace::Usual));
        assert!(limiter.limits().hard.as_ref().unwrap().len() <= (1 << 16) + 3);
    }
}
