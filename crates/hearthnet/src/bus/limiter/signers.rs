//! Signers with a budget of their own. Making a key is free, so that a host may have only a few of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of signers of one host.
// A household has a few devices behind one address.
const OF_HOST: usize = 8;
/// Maximum number of signers of all hosts.
// About 500 KB.
const ALL: usize = 4096;
/// Time without a call after which a signer is forgotten. Its budget is full again by then.
const IDLE: Duration = Duration::from_secs(60);

/// Signers, each with its host and the time of its last call.
#[derive(Debug, Default)]
pub(super) struct Signers(Mutex<HashMap<String, (IpAddr, Instant)>>);

impl Signers {
    /// Returns whether `signer` has a budget of its own. A new signer gets one if `host` and the node have room.
    pub(super) fn admit(&self, signer: &str, host: IpAddr) -> bool {
        let now = Instant::now();
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, last)) = places.get_mut(signer) {
            *last = now;
            return true;
        }
        // Only for a new signer. Known ones stay cheap.
        places.retain(|_, (_, last)| now.duration_since(*last) < IDLE);
        let of_host = places.values().filter(|(of, _)| *of == host).count();
        let room = of_host < OF_HOST && places.len() < ALL;
        if room {
            places.insert(signer.to_owned(), (host, now));
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signers_of_a_host_and_of_all_hosts_are_bounded() {
        let signers = Signers::default();
        let host = |at: u32| IpAddr::V4((0x0a00_0000 + at).into());
        let of_one = (0..100).filter(|at| signers.admit(&format!("one{at}"), host(0))).count();
        assert_eq!(of_one, OF_HOST);
        assert!(signers.admit("one0", host(1)), "a place is kept from another host too");
        let of_all = (1..10_000).filter(|at| signers.admit(&format!("all{at}"), host(*at))).count();
        assert_eq!(OF_HOST + of_all, ALL);
        assert!(signers.admit("one0", host(0)));
    }
}
