//! Connections of this machine that have sent no request. A full server closes the oldest of them for a new connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

/// Silent connections, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Silent(VecDeque<(Flag, AbortHandle)>);

/// Flag of a connection that is raised by its first request.
#[derive(Clone, Debug, Default)]
pub(super) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(super) fn raise(&self) {
        // Relaxed: the flag guards nothing. A close that misses it ends a connection as a close before the request would.
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Silent {
    /// Adds a connection. `all` is the maximum number of connections.
    pub(super) fn add(&mut self, flag: Flag, connection: AbortHandle, all: usize) {
        if self.0.len() > all {
            // Entries of connections that ended would fill the memory otherwise.
            self.forget();
        }
        self.0.push_back((flag, connection));
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.forget();
        self.0.is_empty()
    }

    /// Closes the oldest silent connection. Returns whether there was one.
    pub(super) fn close_oldest(&mut self) -> bool {
        self.forget();
        self.0.pop_front().is_some_and(|(_, connection)| {
            connection.abort();
            true
        })
    }

    fn forget(&mut self) {
        self.0.retain(|(flag, connection)| !flag.is_raised() && !connection.is_finished());
    }
}
