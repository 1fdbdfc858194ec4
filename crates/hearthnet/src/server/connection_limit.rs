//! Places at the transport server: one other host may not take them all, nor may all others together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::host::{host, is_localhost};

/// Connections that each host has open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// Fewest places for this machine: a scraper, a browser and two commands.
const FEWEST_OF_OURS: usize = 4;

impl Places {
    /// Takes one of `all` places for a connection from `address`, until it is dropped. Returns `None` if that host, or all
    /// other hosts together, have their share. This machine is trusted not to take too many.
    pub(crate) fn take(&self, address: IpAddr, all: usize) -> Option<Place> {
        let host = host(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_localhost(address) {
            let shares = Shares::of(all);
            let others = taken.iter().filter(|(host, _)| !is_localhost(**host)).map(|(_, open)| open);
            let of_host = taken.get(&host).copied().unwrap_or_default();
            if others.sum::<usize>() >= shares.others || of_host >= shares.host {
                return None;
            }
        }
        *taken.entry(host).or_default() += 1;
        Some(Place { places: self.clone(), host })
    }

    fn give_back(&self, host: IpAddr) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = taken.get_mut(&host) {
            *connections -= 1;
            if *connections == 0 {
                taken.remove(&host);
            }
        }
    }
}

/// Bounds on the connections of hosts other than this machine.
struct Shares {
    /// Connections of all other hosts together at one time. The rest is for this machine: a person who looks at a node that
    /// is under attack, or stops it, gets in.
    others: usize,
    /// Connections of one other host at one time.
    host: usize,
}

impl Shares {
    /// Shares out `all` places. An eighth is for this machine.
    fn of(all: usize) -> Shares {
        let others = all.saturating_sub((all / 8).max(FEWEST_OF_OURS));
        Shares { others, host: others.min(all / 2) }
    }
}

/// What a connection holds while it is open.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    host: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_its_share_and_gives_it_back() {
        let places = Places::default();
        let take = |address: &str| places.take(address.parse().unwrap(), 512);
        let mut held: Vec<_> = (0..256).map(|_| take("192.168.1.9").unwrap()).collect();
        assert!(take("192.168.1.9").is_none() && take("::ffff:192.168.1.9").is_none());
        assert!(take("192.168.1.8").is_some(), "another host");
        let local: Vec<_> = (0..512).map(|_| take("127.0.0.1")).collect();
        assert!(local.iter().all(Option::is_some) && take("::1").is_some());
        held.pop();
        assert!(take("192.168.1.9").is_some());
        drop((held, local));
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is kept of who has left");
    }

    #[test]
    fn all_others_together_leave_places_for_this_machine() {
        let places = Places::default();
        let others: Vec<_> = (0..1000u32)
            .map_while(|at| places.take(IpAddr::V4((0x0a00_0000 + at / 100).into()), 512))
            .collect();
        assert_eq!(others.len(), 448);
        assert!(places.take("192.168.1.9".parse().unwrap(), 512).is_none());
        assert!(places.take("127.0.0.1".parse().unwrap(), 512).is_some());
        assert!(places.take("::1".parse().unwrap(), 512).is_some());
    }

    #[test]
    fn few_places_are_shared_out_so_that_this_machine_has_some() {
        for (all, others, share) in [(5, 1, 1), (10, 6, 5), (106, 93, 53)] {
            let shares = Shares::of(all);
            assert_eq!((shares.others, shares.host), (others, share), "{all}");
        }
    }

    #[test]
    fn a_bound_that_changes_holds_for_the_next_connection() {
        let places = Places::default();
        let take = |all| places.take("192.168.1.9".parse().unwrap(), all);
        let held: Vec<_> = (0..5).map_while(|_| take(10)).collect();
        assert_eq!(held.len(), 5);
        assert!(take(10).is_none());
        assert!(take(100).is_some());
        drop(held);
        assert!(take(5).is_some());
    }
}
