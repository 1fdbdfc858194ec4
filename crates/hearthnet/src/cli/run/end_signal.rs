//! Signals that end a node.

use crate::failure::Failure;

#[cfg(unix)]
pub(crate) use unix::{EndSignals, is_ignored};

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

    pub(crate) async fn first(&mut self) -> EndSignal {
        let _ = tokio::signal::ctrl_c().await;
        INTERRUPT
    }

    pub(crate) async fn second(&mut self) -> EndSignal {
        self.first().await
    }
}

#[cfg(unix)]
mod unix {
    //! Unsafe code is here because neither the standard library nor tokio can read or set a disposition.
    #![allow(unsafe_code)]

    use std::{future, mem, ptr};

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::super::service_manager;
    use super::{EndSignal, Failure, INTERRUPT};

    const TERMINATE: EndSignal = EndSignal { name: "SIGTERM", status: 143 };
    const HANGUP: EndSignal = EndSignal { name: "SIGHUP", status: 129 };

    /// Listeners for SIGINT, SIGTERM and the SIGHUP of a terminal that is closed. The signals do not end the process
    /// while this value lives. After that SIGINT and SIGTERM do.
    ///
    /// A terminal sends SIGHUP, and its shell sends another one. So SIGHUP ends a node once and never in a hurry.
    ///
    /// Under a service manager SIGHUP asks for a reload and is not listened to here.
    ///
    /// A signal that was ignored at the start stays ignored. A shell does that for background jobs, for which a Ctrl-C
    /// in the terminal is not meant.
    pub(crate) struct EndSignals {
        interrupt: Option<Listener>,
        terminate: Option<Listener>,
        hangup: Option<Listener>,
    }

    impl EndSignals {
        pub(crate) fn listen() -> Result<EndSignals, Failure> {
            Ok(EndSignals {
                interrupt: Listener::new(SignalKind::interrupt())?,
                terminate: Listener::new(SignalKind::terminate())?,
                hangup: match service_manager::is_present() {
                    true => None,
                    false => Listener::new(SignalKind::hangup())?,
                },
            })
        }

        /// Waits for the signal that ends the node.
        pub(crate) async fn first(&mut self) -> EndSignal {
            tokio::select! {
                () = next(&mut self.interrupt) => INTERRUPT,
                () = next(&mut self.terminate) => TERMINATE,
                () = next(&mut self.hangup) => HANGUP,
            }
        }

        /// Waits for a signal that demands the end at once.
        pub(crate) async fn second(&mut self) -> EndSignal {
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
            let action = if self.kind == SignalKind::hangup() { libc::SIG_IGN } else { libc::SIG_DFL };
            // SAFETY: neither action runs code.
            unsafe { libc::signal(self.kind.as_raw_value(), action) };
        }
    }

    pub(crate) fn is_ignored(kind: SignalKind) -> bool {
        // SAFETY: a zeroed sigaction is a valid value, and the call only reads the current action into it.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            libc::sigaction(kind.as_raw_value(), ptr::null(), &mut action);
            action.sa_sigaction == libc::SIG_IGN
        }
    }
}
