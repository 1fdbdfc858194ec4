//! Checks and what each of them runs after.

use crate::check::Check;
use crate::error::Error;

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) check: Check,
    /// Positions of the checks it runs after.
    pub(crate) after: Vec<usize>,
    /// Listed, but not run.
    pub(crate) excluded: bool,
}

pub(crate) fn positions_of_dependencies(entries: &[Entry], at: usize) -> Result<Vec<usize>, Error> {
    let check = &entries[at].check;
    let find = |dep: &String| entries.iter().position(|entry| entry.check.name() == dep);
    let unknown = |dep: &String| Error::unknown_dependency(check.name(), dep);
    check.dependencies().iter().map(|dep| find(dep).ok_or_else(|| unknown(dep))).collect()
}

/// Takes away what waits for nothing until nothing is left; what is then left waits for itself.
pub(crate) fn refuse_cycles(entries: &[Entry]) -> Result<(), Error> {
    let mut left: Vec<usize> = (0..entries.len()).collect();
    loop {
        let waits = |at: &usize| entries[*at].after.iter().any(|dep| left.contains(dep));
        let next: Vec<usize> = left.iter().copied().filter(waits).collect();
        if next.is_empty() {
            return Ok(());
        }
        if next.len() == left.len() {
            return Err(Error::cycle(names_of_cycle(entries, &next)));
        }
        left = next;
    }
}

/// Each of `left` waits for another of them, so following that must come round.
fn names_of_cycle(entries: &[Entry], left: &[usize]) -> Vec<String> {
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
    path.iter().map(|&at| entries[at].check.name().to_owned()).collect()
}
