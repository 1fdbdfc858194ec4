//! Bound on connections that follows the process's limit on file descriptors (`ulimit -n`).

use std::fs;

/// Most connections at one time, whatever the limit: each costs memory too.
const MOST: u64 = 512;
/// Fewest connections at one time, however low the limit: a few for this machine, and one for others.
const FEWEST: u64 = 5;
/// Descriptors kept for what the node opens now and then: the log's next files, SQLite's, checks of the doctor, the
/// event loop, and requests to peers and the collector.
const SPARE: u64 = 24;
/// Descriptors that are counted as open where the system does not list them.
const USUALLY_OPEN: u64 = 24;

/// Returns how many connections the server may have at one time, judged by what is open now.
pub(crate) fn connections() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let open = fs::read_dir("/dev/fd").map_or(USUALLY_OPEN, |open| open.count() as u64);
    bound(limit, open) as usize
}

/// A call that is forwarded takes a second descriptor, so that a connection counts twice. A `limit` of `None` is none.
fn bound(limit: Option<u64>, open: u64) -> u64 {
    let left = limit.unwrap_or(u64::MAX).saturating_sub(open).saturating_sub(SPARE);
    (left / 2).clamp(FEWEST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_leaves_what_the_node_needs() {
        for (limit, connections) in [(20, 5), (64, 10), (256, 106), (1024, 490), (4096, 512), (u64::MAX, 512)]
        {
            assert_eq!(bound(Some(limit), 20), connections, "{limit}");
        }
        assert_eq!(bound(None, 20), MOST);
        assert!((FEWEST..=MOST).contains(&(connections() as u64)));
    }
}
