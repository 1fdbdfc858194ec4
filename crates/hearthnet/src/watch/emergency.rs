//! Reachability of the internet, from connection probes to a few hosts.
//!
//! Probes begin at a beat and are judged twice: a moment later, when most hosts have answered, and at the end of their time. The
//! answers themselves wake no thread.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use obs_facade::metrics::standard;
use obs_facade::{info, warn};
use socket2::{Domain, Socket, Type};

use super::LOG;
use crate::config::target::Target;

/// Time in which a host of a good connection answers, or refuses.
const MOMENT: Duration = Duration::from_millis(100);
/// Time that a probe has. A satellite link takes less than a second.
const PATIENCE: Duration = Duration::from_secs(2);
/// Beats after which a name is looked up again. An outage of the name servers alone shows within them.
const LOOK_UP_AFTER: u32 = 12;

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

/// Mode of the node, from probes of all targets.
pub(crate) struct Emergency {
    probes: Vec<Probe>,
    known: Option<Mode>,
}

impl Emergency {
    pub(crate) fn new(targets: Vec<Target>) -> Emergency {
        // The first probes take a while, and the family needs its series before.
        Mode::Online.publish();
        Emergency { probes: targets.into_iter().map(Probe::new).collect(), known: None }
    }

    /// Probes all targets. It waits for them, so it comes after all other looks.
    pub(crate) fn look(&mut self) {
        if self.probes.is_empty() {
            return;
        }
        if self.known.is_none() && self.probes.iter().any(|probe| probe.is_name) {
            // The names have their addresses afterwards.
            self.probe();
        }
        self.probe();
        let reached = self.probes.iter().filter(|probe| probe.is_answered).count();
        let now = Mode::of(reached, self.probes.len());
        if self.known.replace(now) != Some(now) {
            now.publish();
            tell(now);
        }
    }

    fn probe(&mut self) {
        self.probes.iter_mut().for_each(Probe::begin);
        for wait in [MOMENT, PATIENCE - MOMENT] {
            thread::sleep(wait);
            self.probes.iter_mut().for_each(Probe::judge);
            if !self.probes.iter().any(Probe::is_open) {
                break;
            }
        }
        self.probes.iter_mut().for_each(|probe| probe.connections.clear());
    }
}

/// Probe of one target. A handshake is enough: the probe sends nothing to it.
struct Probe {
    target: Target,
    is_name: bool,
    addresses: Vec<SocketAddr>,
    looking_up: Option<Receiver<Vec<SocketAddr>>>,
    /// Beats since the addresses were looked up.
    age: u32,
    /// Connections to the addresses that are not established yet.
    connections: Vec<Socket>,
    is_answered: bool,
}

impl Probe {
    fn new(target: Target) -> Probe {
        let address = target.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, target.port));
        Probe {
            is_name: address.is_none(),
            addresses: address.into_iter().collect(),
            looking_up: None,
            age: 0,
            connections: Vec::new(),
            is_answered: false,
            target,
        }
    }

    fn begin(&mut self) {
        if self.is_name {
            self.renew_addresses();
        }
        self.is_answered = false;
        self.connections = self.addresses.iter().filter_map(|address| connect(*address).ok()).collect();
    }

    /// Closes the connections that are decided.
    fn judge(&mut self) {
        let is_answered = &mut self.is_answered;
        self.connections.retain(|connection| {
            let state = state(connection);
            *is_answered |= state == State::Established;
            state == State::Waiting
        });
    }

    /// Returns whether the probe may still be answered.
    fn is_open(&self) -> bool {
        !self.is_answered
            && (!self.connections.is_empty() || self.looking_up.is_some() && self.addresses.is_empty())
    }

    fn renew_addresses(&mut self) {
        self.age += 1;
        match self.looking_up.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return,
            Some(Ok(found)) => (self.addresses, self.age) = (found, 0),
            Some(Err(TryRecvError::Disconnected)) | None => {}
        }
        let is_due = self.addresses.is_empty() || self.age >= LOOK_UP_AFTER;
        // One at a time, because an unreachable name server keeps its asker waiting for longer than a beat.
        self.looking_up = is_due.then(|| look_up(&self.target));
    }
}

/// Looks up the first address of each family. The system tries one after another, but a probe has no time for that.
fn look_up(target: &Target) -> Receiver<Vec<SocketAddr>> {
    let (tell, found) = channel();
    let target = target.clone();
    // A thread of its own, because the system's resolver blocks. Without one, the next beat tries again.
    let _ = thread::Builder::new().name("look-up".to_owned()).spawn(move || {
        let all: Vec<_> =
            (target.host.as_str(), target.port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
        let first = |is_v6| all.iter().find(|address: &&SocketAddr| address.is_ipv6() == is_v6).copied();
        let _ = tell.send(first(false).into_iter().chain(first(true)).collect());
    });
    found
}

fn connect(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // The outcome is asked for later, whatever the error says now.
    let _ = socket.connect(&address.into());
    Ok(socket)
}

/// State of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Established,
    Failed,
}

fn state(connection: &Socket) -> State {
    match connection.take_error() {
        Ok(None) if connection.peer_addr().is_ok() => State::Established,
        Ok(None) => State::Waiting,
        // The host has closed the connection since.
        Ok(Some(error)) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            State::Established
        }
        Ok(Some(_)) | Err(_) => State::Failed,
    }
}

fn tell(mode: Mode) {
    match mode {
        Mode::Online => info!(logger: LOG, mode = mode.as_str(); "emergency mode"),
        _ => warn!(logger: LOG, mode = mode.as_str(); "emergency mode"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

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

    fn probe(host: &str, port: u16) -> Probe {
        Probe::new(Target { host: host.to_owned(), port })
    }

    /// Begins probes until one is answered or not as expected. A connection to this machine is decided at once.
    fn is_answered_in_time(probe: &mut Probe, expected: bool) -> bool {
        (0..1_000).any(|_| {
            probe.begin();
            thread::sleep(Duration::from_millis(10));
            probe.judge();
            probe.is_answered == expected
        })
    }

    #[test]
    fn a_host_that_listens_is_reached_and_one_that_does_not_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            assert!(is_answered_in_time(&mut probe(host, port), true), "{host}");
        }
        let mut probe = probe("127.0.0.1", port);
        assert!(!probe.is_answered, "it has not begun");
        drop(listener);
        assert!(is_answered_in_time(&mut probe, false));
        assert!(!is_answered_in_time(&mut probe, true), "{:?}", probe.connections);
    }

    #[test]
    fn a_host_that_closes_its_connections_is_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut probe = probe("127.0.0.1", listener.local_addr().unwrap().port());
        for linger in [None, Some(Duration::ZERO)] {
            probe.begin();
            let (accepted, _) = listener.accept().unwrap();
            // With a linger time of zero, the connection is reset.
            Socket::from(accepted).set_linger(linger).unwrap();
            thread::sleep(Duration::from_millis(10));
            probe.judge();
            assert!(probe.is_answered, "{linger:?}");
        }
    }

    #[test]
    fn a_name_is_looked_up_by_one_thread_and_again_after_some_beats() {
        let mut probe = probe("localhost", 1);
        let mut look_ups = 0;
        for _ in 0..2 * LOOK_UP_AFTER {
            probe.begin();
            if let Some(found) = &probe.looking_up {
                look_ups += 1;
                let (tell, again) = channel();
                tell.send(found.recv().unwrap()).unwrap();
                probe.looking_up = Some(again);
            }
        }
        assert!(!probe.addresses.is_empty());
        assert_eq!(look_ups, 2);
    }
}
