//! Limit on connections. Neither one other host nor all of them together can take the connections of this machine.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::host::{host, is_localhost};

/// Number of open connections of each host.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionLimit {
    open_by_host: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// Lower bound on the connections of this machine: a scraper, a browser and two commands.
const FEWEST_OF_OURS: usize = 4;

impl ConnectionLimit {
    /// Acquires one of `all` connections for `address`, and releases it when the permit is dropped. Returns `None` if
    /// the host, or all other hosts together, have used their share. This machine is not limited.
    pub(crate) fn acquire(&self, address: IpAddr, all: usize) -> Option<ConnectionPermit> {
        let host = host(address);
        let mut open_by_host = self.open_by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_localhost(address) {
            let shares = Shares::of(all);
            let others = open_by_host.iter().filter(|(host, _)| !is_localhost(**host)).map(|(_, open)| open);
            let of_host = open_by_host.get(&host).copied().unwrap_or_default();
            if others.sum::<usize>() >= shares.others || of_host >= shares.host {
                return None;
            }
        }
        // Counted under the same lock as the check, so that two connections cannot take the last place.
        *open_by_host.entry(host).or_default() += 1;
        Some(ConnectionPermit { limit: self.clone(), host })
    }

    fn release(&self, host: IpAddr) {
        let mut open_by_host = self.open_by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = open_by_host.get_mut(&host) {
            *connections -= 1;
            if *connections == 0 {
                // Hosts without connections would fill the map otherwise.
                open_by_host.remove(&host);
            }
        }
    }
}

/// Limits for hosts other than this machine.
struct Shares {
    /// Maximum number of connections of all other hosts. The rest is for this machine, so that its owner can inspect
    /// and stop a node under attack.
    others: usize,
    /// Maximum number of connections of one other host.
    host: usize,
}

impl Shares {
    /// Divides `all` connections. This machine gets an eighth.
    fn of(all: usize) -> Shares {
        let others = all.saturating_sub((all / 8).max(FEWEST_OF_OURS));
        // With many connections, one other host alone cannot use up the share of all others.
        Shares { others, host: others.min(all / 2) }
    }
}

/// Permit for a connection.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    limit: ConnectionLimit,
    host: IpAddr,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.limit.release(self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_share_and_releases_it() {
        let limit = ConnectionLimit::default();
        let take = |address: &str| limit.acquire(address.parse().unwrap(), 512);
        let mut held: Vec<_> = (0..256).map(|_| take("192.168.1.9").unwrap()).collect();
        assert!(take("192.168.1.9").is_none() && take("::ffff:192.168.1.9").is_none());
        assert!(take("192.168.1.8").is_some(), "another host");
        let local: Vec<_> = (0..512).map(|_| take("127.0.0.1")).collect();
        assert!(local.iter().all(Option::is_some) && take("::1").is_some());
        held.pop();
        assert!(take("192.168.1.9").is_some());
        drop((held, local));
        assert!(limit.open_by_host.lock().unwrap().is_empty(), "a host without connections is forgotten");
    }

    #[test]
    fn all_other_hosts_leave_connections_for_this_machine() {
        let limit = ConnectionLimit::default();
        let others: Vec<_> = (0..1000u32)
            .map_while(|at| limit.acquire(IpAddr::V4((0x0a00_0000 + at / 100).into()), 512))
            .collect();
        assert_eq!(others.len(), 448);
        assert!(limit.acquire("192.168.1.9".parse().unwrap(), 512).is_none());
        assert!(limit.acquire("127.0.0.1".parse().unwrap(), 512).is_some());
        assert!(limit.acquire("::1".parse().unwrap(), 512).is_some());
    }

    #[test]
    fn this_machine_has_a_share_of_few_connections() {
        for (all, others, share) in [(5, 1, 1), (10, 6, 5), (106, 93, 53)] {
            let shares = Shares::of(all);
            assert_eq!((shares.others, shares.host), (others, share), "{all}");
        }
    }

    #[test]
    fn a_changed_bound_applies_to_the_next_connection() {
        let limit = ConnectionLimit::default();
        let take = |all| limit.acquire("192.168.1.9".parse().unwrap(), all);
        let held: Vec<_> = (0..5).map_while(|_| take(10)).collect();
        assert_eq!(held.len(), 5);
        assert!(take(10).is_none());
        assert!(take(100).is_some());
        drop(held);
        assert!(take(5).is_some());
    }
}
