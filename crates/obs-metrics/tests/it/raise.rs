//! Flag that ends the writers of a test. It is raised on drop, so that they end also if the test fails.

use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct RaiseOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for RaiseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
