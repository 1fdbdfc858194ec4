//! How often one caller may call one capability: a soft limit that is noted and a hard one that refuses.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use obs_facade::metrics::standard;
use obs_facade::warn_limited;

use super::LOG;
use crate::wire::error::{CallError, Code};

/// The limits of `[transport]`.
pub(super) struct Limiter {
    soft: Option<Limit>,
    hard: Option<Limit>,
    hasher: RandomState,
}

/// Keyed by a part of the hash of caller and capability: names that a flood invents cost a few megabytes at
/// most, and nobody can aim at the budget of somebody else, because the hash is seeded.
type Limit = DefaultKeyedRateLimiter<u16>;

impl Limiter {
    /// Limits in calls a second; 0 is none.
    pub(super) fn new(soft_rps: u32, hard_rps: u32) -> Limiter {
        let limit = |rps| NonZeroU32::new(rps).map(|rps| RateLimiter::keyed(Quota::per_second(rps)));
        Limiter { soft: limit(soft_rps), hard: limit(hard_rps), hasher: RandomState::new() }
    }

    /// Lets a call of `caller` to `capability` pass, or refuses it as `rate_limited`.
    pub(super) fn admit(&self, caller: &[u8], capability: &str) -> Result<(), CallError> {
        let key = self.hasher.hash_one((caller, capability)) as u16;
        let over = |limit: &Option<Limit>| limit.as_ref().is_some_and(|limit| limit.check_key(&key).is_err());
        if over(&self.hard) {
            standard::rate_limited_total().with([capability, "hard"]).inc();
            warn_limited!(LOG, "rate_hard", capability = capability; "a caller is over the hard limit and refused");
            return Err(Code::RATE_LIMITED.because("more calls a second than this node allows one caller"));
        }
        if over(&self.soft) {
            standard::rate_limited_total().with([capability, "soft"]).inc();
            warn_limited!(LOG, "rate_soft", capability = capability; "a caller is over the soft limit");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use obs_facade::metrics::Registry;

    use super::*;

    fn refused(limiter: &Limiter, caller: &str, calls: usize) -> usize {
        (0..calls).filter(|_| limiter.admit(caller.as_bytes(), "experimental.echo").is_err()).count()
    }

    #[test]
    fn f4_soft_is_counted_and_hard_is_refused_by_caller_and_capability() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let limiter = Limiter::new(10, 100);
        // A little of the budget comes back while the loop runs.
        assert!((80..=100).contains(&refused(&limiter, "ada", 200)));
        assert_eq!(refused(&limiter, "bob", 100), 0);
        assert_eq!(limiter.admit(b"ada", "llm.chat"), Ok(()));
        let count = |reason| {
            let labels = [("capability", "experimental.echo"), ("reason", reason)];
            registry.value("hearthnet_rate_limited_total", &labels).unwrap()
        };
        assert!(count("soft") >= 170.0, "{}", count("soft"));
        assert!(count("hard") >= 80.0, "{}", count("hard"));
    }

    #[test]
    fn zero_is_no_limit() {
        assert_eq!(refused(&Limiter::new(0, 0), "ada", 1000), 0);
    }

    #[test]
    fn m7_invented_callers_cost_a_bounded_memory() {
        let limiter = Limiter::new(0, 1);
        for caller in 0..200_000_u32 {
            let _ = limiter.admit(&caller.to_le_bytes(), "experimental.echo");
        }
        assert!(limiter.hard.unwrap().len() <= 1 << 16);
    }
}
