//! A flag that writers wait for, raised also where the test that would raise it fails.

use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct RaiseOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for RaiseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
