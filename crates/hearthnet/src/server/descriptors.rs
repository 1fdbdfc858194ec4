//! Maximum number of connections, derived from the limit on file descriptors (`ulimit -n`).

use std::fs;

/// Upper bound at any limit, because each connection costs memory too.
const MOST: u64 = 512;
/// Lower bound at any limit: four for this machine and one for others.
const FEWEST: u64 = 5;
/// Descriptors reserved for files that the node opens now and then: the log's next files, SQLite's files, the doctor's
/// checks, the event loop, and requests to peers and the collector.
const SPARE: u64 = 24;
/// Assumed number of open descriptors where the system does not list them.
const USUALLY_OPEN: u64 = 24;

/// Returns the maximum number of connections, from the descriptors that are open now.
pub(crate) fn connections() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let open = fs::read_dir("/dev/fd").map_or(USUALLY_OPEN, |open| open.count() as u64);
    bound(limit, open) as usize
}

/// Computes the bound. Each connection counts as two descriptors, because a forwarded call opens a second one. A
/// `limit` of `None` is no limit.
fn bound(limit: Option<u64>, open: u64) -> u64 {
    let left = limit.unwrap_or(u64::MAX).saturating_sub(open).saturating_sub(SPARE);
    (left / 2).clamp(FEWEST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_leaves_descriptors_for_the_node() {
        for (limit, connections) in [(20, 5), (64, 10), (256, 106), (1024, 490), (4096, 512), (u64::MAX, 512)]
        {
            assert_eq!(bound(Some(limit), 20), connections, "{limit}");
        }
        assert_eq!(bound(None, 20), MOST);
        assert!((FEWEST..=MOST).contains(&(connections() as u64)));
    }
}
