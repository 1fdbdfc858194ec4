//! The signals that end a node.

use crate::failure::Failure;

#[cfg(unix)]
pub(crate) use unix::end_signal;

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn end_signal() -> Result<impl Future<Output = &'static str>, Failure> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    })
}

#[cfg(unix)]
mod unix {
    //! Unsafe code is here because neither the standard library nor tokio can ask for a disposition. It only reads one.
    #![allow(unsafe_code)]

    use std::{future, mem, ptr};

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Failure;

    /// Resolves to the name of the first SIGINT or SIGTERM. From here on neither ends the process by itself.
    ///
    /// A signal that the process was started with ignored stays ignored: a shell does so for a job in the background, for
    /// which a Ctrl-C in the terminal is not meant.
    pub(crate) fn end_signal() -> Result<impl Future<Output = &'static str>, Failure> {
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                () = next(&mut interrupt) => "SIGINT",
                () = next(&mut terminate) => "SIGTERM",
            }
        })
    }

    /// `None` if the signal is ignored.
    fn listen(kind: SignalKind) -> Result<Option<Signal>, Failure> {
        if is_ignored(kind) {
            return Ok(None);
        }
        signal(kind).map(Some).map_err(|error| Failure::error(format!("cannot listen for signals: {error}")))
    }

    async fn next(signal: &mut Option<Signal>) {
        match signal {
            Some(signal) => drop(signal.recv().await),
            None => future::pending().await,
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
