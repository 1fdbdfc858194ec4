//! Reachability of the internet, from connection probes to a few hosts.

use std::time::Duration;

use obs_facade::metrics::standard;
use obs_facade::{info, warn};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::LOG;
use crate::config::target::Target;

// An outage shows within the interval and the timeout.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
// A satellite link takes less than a second.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Values of `hearthnet_emergency_mode{state}`. Exactly one of them is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Every target answers, or there are no targets.
    Online,
    /// One target does not answer.
    Degraded,
    /// Two or more targets do not answer, or none answers.
    Offline,
}

impl Mode {
    const ALL: [Mode; 3] = [Mode::Online, Mode::Degraded, Mode::Offline];

    fn of(reached: usize, targets: usize) -> Mode {
        match targets - reached {
            0 => Mode::Online,
            // With one target in all, its silence is offline.
            1 if reached > 0 => Mode::Degraded,
            _ => Mode::Offline,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Mode::Online => "online",
            Mode::Degraded => "degraded",
            Mode::Offline => "offline",
        }
    }

    fn publish(self) {
        for mode in Mode::ALL {
            standard::emergency_mode().with([mode.as_str()]).set(f64::from(u8::from(mode == self)));
        }
    }
}

/// Probes the targets for as long as the node runs.
pub(crate) async fn watch(targets: Vec<Target>) {
    let mut known = None;
    // The first probe takes up to the timeout, and the family needs its series before.
    Mode::Online.publish();
    while !targets.is_empty() {
        let now = Mode::of(reached(&targets).await, targets.len());
        if known.replace(now) != Some(now) {
            now.publish();
            tell(now);
        }
        sleep(PROBE_INTERVAL).await;
    }
}

fn tell(mode: Mode) {
    match mode {
        Mode::Online => info!(logger: LOG, mode = mode.as_str(); "emergency mode"),
        _ => warn!(logger: LOG, mode = mode.as_str(); "emergency mode"),
    }
}

async fn reached(targets: &[Target]) -> usize {
    let mut probes = JoinSet::new();
    for target in targets.iter().cloned() {
        probes.spawn(async move {
            // A handshake is enough: the probe sends nothing to the target.
            let connect = TcpStream::connect((target.host.as_str(), target.port));
            timeout(PROBE_TIMEOUT, connect).await.is_ok_and(|connected| connected.is_ok())
        });
    }
    probes.join_all().await.into_iter().filter(|answered| *answered).count()
}

#[cfg(test)]
mod tests {
    use obs_facade::metrics::Registry;

    use super::*;

    #[test]
    fn the_mode_follows_the_number_of_unreachable_targets() {
        assert_eq!(Mode::of(4, 4), Mode::Online);
        assert_eq!(Mode::of(3, 4), Mode::Degraded);
        assert_eq!(Mode::of(2, 4), Mode::Offline);
        assert_eq!(Mode::of(1, 2), Mode::Degraded);
        assert_eq!(Mode::of(0, 1), Mode::Offline);
    }

    #[test]
    fn exactly_one_state_is_1() {
        let registry = Registry::new();
        let _scope = registry.enter();
        for mode in Mode::ALL {
            mode.publish();
            let value = |mode: Mode| {
                obs_facade::metrics::testing::value(
                    &registry,
                    "hearthnet_emergency_mode",
                    &[("state", mode.as_str())],
                )
            };
            assert_eq!(value(mode), Some(1.0));
            assert_eq!(
                obs_facade::metrics::testing::value(&registry, "hearthnet_emergency_mode", &[]),
                Some(1.0)
            );
        }
    }

    #[tokio::test]
    async fn a_host_that_listens_is_reached_and_one_that_does_not_is_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Target { host: "127.0.0.1".to_owned(), port };
        assert_eq!(reached(std::slice::from_ref(&target)).await, 1);
        drop(listener);
        assert_eq!(reached(&[target]).await, 0);
    }
}
