//! Numbers of span names in packed records.

use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};

use super::interner::NameId;

/// Numbers that span names have in packed records, instead of their text. See [`TraceRecord::pack`](crate::TraceRecord::pack).
///
/// ```
/// use std::sync::Mutex;
/// use obs_trace::NameNumbers;
///
/// let names = Mutex::new(Vec::new());
/// let numbers = NameNumbers::new(move |name| {
///     let mut names = names.lock().unwrap();
///     names.push(name);
///     names.len() as u16
/// });
/// # let _ = numbers;
/// ```
pub struct NameNumbers {
    /// By the number of the name in this process. Zero where the name was not used yet.
    known: Box<[AtomicU16]>,
    add: Box<dyn Fn(&'static str) -> u16 + Send + Sync>,
}

/// Names that have a place in the table, the first that the process uses. Programs have a few hundred.
const PLACES: usize = 4096;

impl NameNumbers {
    /// Makes a table that gets the number of a name from `add`, at the first use of that name or a little more often.
    ///
    /// Numbers begin with 1. `add` returns `u16::MAX` for a name that gets none.
    pub fn new(add: impl Fn(&'static str) -> u16 + Send + Sync + 'static) -> NameNumbers {
        NameNumbers { known: (0..PLACES).map(|_| AtomicU16::new(0)).collect(), add: Box::new(add) }
    }

    #[inline]
    pub(super) fn of(&self, name: NameId) -> u16 {
        // Relaxed: a number of its own. `add` has stored the name before it returned the number.
        match self.known.get(usize::from(name.0)).map(|known| known.load(Ordering::Relaxed)) {
            None | Some(0) => self.find(name),
            Some(number) => number,
        }
    }

    #[cold]
    fn find(&self, name: NameId) -> u16 {
        let number = (self.add)(name.name());
        if let Some(known) = self.known.get(usize::from(name.0)) {
            // Relaxed: see `of`.
            known.store(number, Ordering::Relaxed);
        }
        number
    }
}

impl fmt::Debug for NameNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameNumbers").finish_non_exhaustive()
    }
}
