//! Maximum number of connections, derived from the limit on file descriptors (`ulimit -n`).

use std::fs;

use crate::failure::Failure;

/// Upper bound at any limit, because each connection costs memory too.
const MOST: u64 = 512;
/// Lower bound: four for this machine and one for others. A node refuses to start with a limit that leaves fewer. A
/// running node keeps the lower bound if its limit is lowered.
const FEWEST: u64 = 5;
/// Descriptors reserved for files that the node opens now and then: the log's next files, SQLite's files, the doctor's
/// checks, the event loop, and requests to peers and the collector.
const SPARE: u64 = 24;
/// Assumed number of open descriptors where the system does not list them.
const USUALLY_OPEN: u64 = 24;

/// Descriptors that a node opens during its start: the log, the runtime, the listener, the event log.
const OPENED_BY_START: u64 = 17;
/// Limit that the advice recommends: the usual default of Linux.
const RECOMMENDED: u64 = 1024;

/// Checks that the limit leaves room for the lower bound.
///
/// # Errors
///
/// Fails with the limit and the number that is needed. Without the check, idle connections would take the descriptors
/// of the log.
pub(crate) fn check_limit() -> Result<(), Failure> {
    let needed = open() + OPENED_BY_START + SPARE + 2 * FEWEST;
    match limit() {
        limit if limit < needed => Err(Failure::error(format!(
            "cannot start the runtime: Too many open files: `ulimit -n` is {limit} and the node needs {needed}; raise the \
             limit, such as with `ulimit -n {RECOMMENDED}` or `LimitNOFILE={RECOMMENDED}` of the service"
        ))),
        _ => Ok(()),
    }
}

/// Maximum number of connections at the current limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// Number of descriptors that were open before the first connection.
    open: u64,
}

impl Bound {
    pub(super) fn measured() -> Bound {
        Bound { open: open() }
    }

    /// Returns the bound at the current limit, which `prlimit` can change in a running process.
    pub(super) fn connections(self) -> usize {
        bound(limit(), self.open) as usize
    }
}

fn limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn open() -> u64 {
    fs::read_dir("/dev/fd").map_or(USUALLY_OPEN, |open| open.count() as u64)
}

/// Computes the bound. Each connection counts as two descriptors, because a forwarded call opens a second one.
fn bound(limit: u64, open: u64) -> u64 {
    let left = limit.saturating_sub(open).saturating_sub(SPARE);
    (left / 2).clamp(FEWEST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_leaves_descriptors_for_the_node() {
        for (limit, connections) in [(20, 5), (64, 10), (256, 106), (1024, 490), (4096, 512), (u64::MAX, 512)]
        {
            assert_eq!(bound(limit, 20), connections, "{limit}");
        }
        assert!((FEWEST..=MOST).contains(&(Bound::measured().connections() as u64)));
        check_limit().unwrap();
    }
}
