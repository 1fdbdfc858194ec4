//! Messages to the service manager that started the node: systemd, or another program with its protocol.
//!
//! Without one, all of this does nothing.

use std::process;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::node::Node;
use crate::watch::beat::{self, Beats};

#[cfg(target_os = "linux")]
static LOG: obs_facade::Logger = obs_facade::Logger::new("hearthnet::run");

/// Interval at which the status is renewed where there is no watchdog.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// Message to the service manager.
#[derive(Clone, Copy)]
pub(super) enum Message<'a> {
    Ready,
    Reloading,
    Stopping,
    Watchdog,
    Status(&'a str),
}

/// Returns whether a service manager started this process itself.
///
/// A shell in a terminal may inherit other variables of a service manager, such as `INVOCATION_ID`, so that they prove
/// nothing.
pub(super) fn is_present() -> bool {
    let is_own_pid = |pid: std::ffi::OsString| pid.to_str() == Some(&process::id().to_string());
    std::env::var_os("NOTIFY_SOCKET").is_some()
        || std::env::var_os("SYSTEMD_EXEC_PID").is_some_and(is_own_pid)
}

/// Sends the messages. May block while the service manager does.
#[cfg(target_os = "linux")]
pub(super) fn tell(messages: &[Message<'_>]) {
    use sd_notify::NotifyState;

    let mut states = Vec::new();
    for message in messages {
        match message {
            Message::Ready => states.push(NotifyState::Ready),
            Message::Reloading => {
                states.push(NotifyState::Reloading);
                // `Type=notify-reload` needs the time.
                states.extend(NotifyState::monotonic_usec_now());
            }
            Message::Stopping => states.push(NotifyState::Stopping),
            Message::Watchdog => states.push(NotifyState::Watchdog),
            Message::Status(text) => states.push(NotifyState::Status(text)),
        }
    }
    if let Err(error) = sd_notify::notify(&states) {
        obs_facade::warn_limited!(LOG, "notify", error:% = error; "the service manager cannot be told");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn tell(_: &[Message<'_>]) {}

/// Returns the time in which the service manager wants to hear of a node that is alive.
fn watchdog() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    return sd_notify::watchdog_enabled();
    #[cfg(not(target_os = "linux"))]
    None
}

/// Tells the service manager at an interval that the node is alive, and what it does.
///
/// This is a task of the runtime that serves calls. If all of its threads are stuck, the messages stop, and the service
/// manager starts the node again.
pub(super) async fn report(node: Arc<Node>, peers: usize, address: String, mut beats: Beats) {
    if !is_present() {
        return;
    }
    let watchdog = watchdog();
    // Half of the time, as systemd advises, so that a delayed message is no failure.
    let pause = watchdog.map_or(STATUS_INTERVAL, |watchdog| STATUS_INTERVAL.min(watchdog / 2));
    let mut told = String::new();
    loop {
        let status = status(node.peers_online(), peers, &address);
        let is_new = status != told;
        if is_new || watchdog.is_some() {
            told.clone_from(&status);
            let sent = tokio::task::spawn_blocking(move || {
                let watchdog = watchdog.map(|_| Message::Watchdog);
                let status = is_new.then_some(Message::Status(&status));
                tell(&watchdog.into_iter().chain(status).collect::<Vec<_>>());
            });
            let _ = sent.await;
        }
        pass(pause, &mut beats).await;
    }
}

/// Waits for the beat at the end of `pause`, or sleeps if the pause is shorter than a beat.
async fn pass(pause: Duration, beats: &mut Beats) {
    match pause.as_secs() / beat::INTERVAL.as_secs() {
        0 => sleep(pause.max(Duration::from_millis(1))).await,
        whole => {
            for _ in 0..whole {
                beats.next().await;
            }
        }
    }
}

fn status(online: usize, peers: usize, address: &str) -> String {
    match peers {
        0 => format!("listening on {address}; no peers configured"),
        _ => format!("listening on {address}; {online} of {peers} peers answer"),
    }
}
