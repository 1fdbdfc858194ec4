//! Roots: targets whose outermost span begins a trace where none is current.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// Roots, with `.` between their names. The lock is held for one comparison.
static ROOTS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Whether there are roots. Without any, a span without a trace costs one load for this.
static ANY: AtomicBool = AtomicBool::new(false);

/// Replaces the roots.
pub(crate) fn set(targets: &[String]) {
    let mut roots = ROOTS.write().unwrap_or_else(PoisonError::into_inner);
    *roots = targets.iter().map(|target| target.replace("::", ".")).collect();
    // Relaxed: a span that begins meanwhile may see either.
    ANY.store(!roots.is_empty(), Ordering::Relaxed);
}

/// Whether a target is a root or below one.
#[inline]
pub(crate) fn contain(target: &str) -> bool {
    ANY.load(Ordering::Relaxed) && covered(target)
}

#[cold]
fn covered(target: &str) -> bool {
    let roots = ROOTS.read().unwrap_or_else(PoisonError::into_inner);
    roots.iter().any(|root| is_at_or_below(target, root))
}

/// Whether `target`, with `::` or `.` between its names, is `root` or below it.
fn is_at_or_below(target: &str, root: &str) -> bool {
    let mut names = target.split("::").flat_map(|part| part.split('.'));
    root.split('.').all(|name| names.next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_covers_the_targets_below_it() {
        for (target, root, is_below) in [
            ("a", "a", true),
            ("a::b::c", "a.b", true),
            ("a.b", "a.b", true),
            ("a::bc", "a.b", false),
            ("a", "a.b", false),
            ("", "a", false),
        ] {
            assert_eq!(is_at_or_below(target, root), is_below, "{target} {root}");
        }
        assert!(!contain("a::b"), "there are none");
        set(&["a::b".to_owned()]);
        assert!(contain("a::b::c") && contain("a.b") && !contain("a"));
        set(&[]);
        assert!(!contain("a::b"));
    }
}
