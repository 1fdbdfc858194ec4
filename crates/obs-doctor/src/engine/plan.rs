//! Checks of a run and their dependencies.

use crate::check::Check;
use crate::error::Error;

/// A check in a registry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) check: Check,
    /// Positions of the checks that it runs after.
    pub(crate) after: Vec<usize>,
    /// Whether it is listed as skipped and not run.
    pub(crate) excluded: bool,
}

/// Returns the positions of the checks that the check at `at` runs after.
pub(crate) fn positions_of_dependencies(entries: &[Entry], at: usize) -> Result<Vec<usize>, Error> {
    let check = &entries[at].check;
    let find = |dep: &String| entries.iter().position(|entry| entry.check.name() == dep);
    let unknown = |dep: &String| Error::unknown_dependency(check.name(), dep);
    check.dependencies().iter().map(|dep| find(dep).ok_or_else(|| unknown(dep))).collect()
}

/// Returns an error if checks wait for each other.
///
/// Removes the checks that wait for none of the others until that removes nothing. The rest is a cycle and the checks that
/// wait for it.
pub(crate) fn refuse_cycles(entries: &[Entry]) -> Result<(), Error> {
    let mut left: Vec<usize> = (0..entries.len()).collect();
    loop {
        let waits = |at: &usize| entries[*at].after.iter().any(|dep| left.contains(dep));
        let next: Vec<usize> = left.iter().copied().filter(waits).collect();
        if next.is_empty() {
            return Ok(());
        }
        if next.len() == left.len() {
            return Err(Error::cycle(&names_of_cycle(entries, &next)));
        }
        left = next;
    }
}

/// Returns the names along a cycle. Each check in `left` waits for another one in it, so following the dependencies
/// returns to a check that was visited before.
fn names_of_cycle<'a>(entries: &'a [Entry], left: &[usize]) -> Vec<&'a str> {
    let mut path = vec![left[0]];
    loop {
        let here = path[path.len() - 1];
        let Some(&next) = entries[here].after.iter().find(|dep| left.contains(dep)) else { break };
        if let Some(start) = path.iter().position(|&at| at == next) {
            path.drain(..start);
            break;
        }
        path.push(next);
    }
    path.iter().map(|&at| entries[at].check.name()).collect()
}
