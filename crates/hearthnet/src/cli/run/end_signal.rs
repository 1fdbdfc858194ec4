//! Signals that end a node.

use crate::failure::Failure;

#[cfg(unix)]
pub(crate) use unix::EndSignals;

/// Signal that ends the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndSignal {
    pub(crate) name: &'static str,
    /// Exit status of a process that the signal ended, as shells report it: 128 plus the number of the signal.
    pub(crate) status: u8,
}

const INTERRUPT: EndSignal = EndSignal { name: "SIGINT", status: 130 };

/// Ctrl-C.
#[cfg(not(unix))]
pub(crate) struct EndSignals;

#[cfg(not(unix))]
impl EndSignals {
    pub(crate) fn listen() -> Result<EndSignals, Failure> {
        Ok(EndSignals)
    }

    pub(crate) async fn next(&mut self) -> EndSignal {
        let _ = tokio::signal::ctrl_c().await;
        INTERRUPT
    }
}

#[cfg(unix)]
mod unix {
    //! Unsafe code is here because neither the standard library nor tokio can read or set a disposition.
    #![allow(unsafe_code)]

    use std::{future, mem, ptr};

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{EndSignal, Failure, INTERRUPT};

    const TERMINATE: EndSignal = EndSignal { name: "SIGTERM", status: 143 };

    /// Listeners for SIGINT and SIGTERM. The signals do not end the process while this value lives. After that they
    /// do.
    ///
    /// A signal that was ignored at the start stays ignored. A shell does that for background jobs, for which a Ctrl-C
    /// in the terminal is not meant.
    pub(crate) struct EndSignals {
        interrupt: Option<Listener>,
        terminate: Option<Listener>,
    }

    impl EndSignals {
        pub(crate) fn listen() -> Result<EndSignals, Failure> {
            Ok(EndSignals {
                interrupt: Listener::new(SignalKind::interrupt())?,
                terminate: Listener::new(SignalKind::terminate())?,
            })
        }

        /// Waits for the next signal.
        pub(crate) async fn next(&mut self) -> EndSignal {
            tokio::select! {
                () = next(&mut self.interrupt) => INTERRUPT,
                () = next(&mut self.terminate) => TERMINATE,
            }
        }
    }

    async fn next(listener: &mut Option<Listener>) {
        match listener {
            Some(listener) => drop(listener.signal.recv().await),
            None => future::pending().await,
        }
    }

    /// Listener for one signal, until it is dropped.
    struct Listener {
        signal: Signal,
        kind: SignalKind,
    }

    impl Listener {
        /// Returns `None` if the signal is ignored.
        fn new(kind: SignalKind) -> Result<Option<Listener>, Failure> {
            // Before tokio installs its handler, which would hide that the signal was ignored.
            if is_ignored(kind) {
                return Ok(None);
            }
            let signal = signal(kind)
                .map_err(|error| Failure::error(format!("cannot listen for signals: {error}")))?;
            Ok(Some(Listener { signal, kind }))
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            // The disposition of the log is not restored: its thread may still handle the signal that ends the node, and
            // would kill the process. Queued lines are in the log's journal.
            // SAFETY: the default action runs no code.
            unsafe { libc::signal(self.kind.as_raw_value(), libc::SIG_DFL) };
        }
    }

    fn is_ignored(kind: SignalKind) -> bool {
        // SAFETY: a zeroed sigaction is a valid value, and the call only reads the current action into it.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            libc::sigaction(kind.as_raw_value(), ptr::null(), &mut action);
            action.sa_sigaction == libc::SIG_IGN
        }
    }
}
