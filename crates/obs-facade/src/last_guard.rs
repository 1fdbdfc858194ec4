//! Guards of a part of the process, whose last drop ends the part.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of the guards of a part, and its end.
pub(crate) struct Guards {
    number: AtomicUsize,
    end: fn(),
}

impl Guards {
    pub(crate) const fn new(end: fn()) -> Guards {
        Guards { number: AtomicUsize::new(0), end }
    }

    pub(crate) fn guard(&'static self) -> Guard {
        // Relaxed: a clone adds to a count that its original keeps above zero.
        self.number.fetch_add(1, Ordering::Relaxed);
        Guard(self)
    }
}

/// Guard whose last drop ends its part.
pub(crate) struct Guard(&'static Guards);

impl Clone for Guard {
    fn clone(&self) -> Guard {
        self.0.guard()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Release by each drop and acquire by the last one, so that the end has all that the holders of other guards recorded.
        if self.0.number.fetch_sub(1, Ordering::AcqRel) == 1 {
            (self.0.end)();
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}
