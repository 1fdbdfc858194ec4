//! The signals that end a node.

use crate::failure::Failure;

#[cfg(unix)]
pub(crate) use unix::EndSignals;

/// A signal that asks the node to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndSignal {
    pub(crate) name: &'static str,
    /// Status of a process that the signal ended, as a shell shows it: 128 and the number of the signal.
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
    //! Unsafe code is here because neither the standard library nor tokio can ask for a disposition, or set one.
    #![allow(unsafe_code)]

    use std::{future, mem, ptr};

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{EndSignal, Failure, INTERRUPT};

    const TERMINATE: EndSignal = EndSignal { name: "SIGTERM", status: 143 };

    /// SIGINT and SIGTERM, which do not end the process by themselves while this value lives. After that they kill it.
    ///
    /// A signal that the process was started with ignored stays ignored: a shell does so for a job in the background, for
    /// which a Ctrl-C in the terminal is not meant.
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

        /// Waits for the next of the signals.
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

    /// Listens to one signal until it is dropped.
    struct Listener {
        signal: Signal,
        kind: SignalKind,
    }

    impl Listener {
        /// Returns `None` if the signal is ignored.
        fn new(kind: SignalKind) -> Result<Option<Listener>, Failure> {
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
            // Not the action of the log, whose thread may still look at the signal that is being obeyed, and would let the
            // process die of it. Queued lines are in the log's journal.
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
