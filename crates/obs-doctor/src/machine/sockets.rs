//! Sockets that try an address without taking it from a node: none listens, and none receives packets of others.

use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::owner::{self, Owner, Protocol};

/// Interface that a multicast packet is sent on.
///
/// ```
/// assert_ne!(obs_doctor::machine::Interface::Routed, obs_doctor::machine::Interface::Loopback);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interface {
    /// The interface that the kernel's routes choose.
    Routed,
    /// The loopback interface.
    Loopback,
}

/// Step at which a multicast echo failed.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use obs_doctor::machine::EchoError;
/// assert!(EchoError::Bind(Error::from(ErrorKind::AddrInUse)).to_string().contains("bind"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum EchoError {
    /// The port could not be bound.
    Bind(io::Error),
    /// The group could not be joined.
    Join(io::Error),
    /// The packet could not be sent to the group.
    Send(io::Error),
    /// The packet did not come back.
    Silence,
}

impl std::fmt::Display for EchoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind(err) => write!(f, "cannot bind: {err}"),
            Self::Join(err) => write!(f, "cannot join the group: {err}"),
            Self::Send(err) => write!(f, "cannot send to the group: {err}"),
            Self::Silence => f.write_str("a packet to the group did not come back"),
        }
    }
}

impl std::error::Error for EchoError {}

/// Opens sockets as the node does, and closes them at once.
///
/// ```
/// use obs_doctor::machine::Machine;
/// let free = "127.0.0.1:0".parse().unwrap();
/// Machine::default().sockets.bind_tcp(free)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Sockets: Send + Sync + 'static {
    /// Binds the mDNS group's port, shared with other responders. One IP family is enough.
    ///
    /// # Errors
    /// Neither family could be bound.
    fn bind_mdns(&self) -> io::Result<SocketAddr>;

    /// Joins `group`, sends a packet that stays on this machine, and waits for it to come back.
    ///
    /// # Errors
    /// The step that failed, with its error.
    fn multicast_echo(
        &self,
        group: Ipv4Addr,
        port: u16,
        via: Interface,
        wait: Duration,
    ) -> Result<(), EchoError>;

    /// Binds a TCP address without listening.
    ///
    /// # Errors
    /// The address could not be bound.
    fn bind_tcp(&self, address: SocketAddr) -> io::Result<()>;

    /// Returns an owner of `port` at any address, as far as the kernel shows it to this user.
    fn owner(&self, protocol: Protocol, port: u16) -> Option<Owner>;

    /// Returns the owners of the sockets that answer at `address`, or that are in the way of binding it. Several
    /// sockets can share an address (`SO_REUSEPORT`).
    fn owners(&self, protocol: Protocol, address: SocketAddr) -> Vec<Owner> {
        self.owner(protocol, address.port()).into_iter().collect()
    }
}

pub(super) struct RealSockets;

// Port and groups of RFC 6762.
const MDNS_PORT: u16 = 5353;
const MDNS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

impl Sockets for RealSockets {
    fn bind_mdns(&self) -> io::Result<SocketAddr> {
        // Bound to the group and not to the wildcard, which would receive unicast replies meant for other responders.
        let v4 = SocketAddr::V4(SocketAddrV4::new(MDNS_V4, MDNS_PORT));
        bind_shared_udp(v4).map(|_| v4).or_else(|err| {
            // A machine without IPv4 is not a fault. A taken port is one, whatever the other family says.
            if matches!(err.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) {
                return Err(err);
            }
            // Binding a link-local group needs an interface. Loopback always has index 1.
            let scope = 1;
            let v6 = SocketAddr::V6(SocketAddrV6::new(MDNS_V6, MDNS_PORT, 0, scope));
            bind_shared_udp(v6).map(|_| v6).map_err(|_| err)
        })
    }

    fn multicast_echo(
        &self,
        group: Ipv4Addr,
        port: u16,
        via: Interface,
        wait: Duration,
    ) -> Result<(), EchoError> {
        let address = SocketAddr::V4(SocketAddrV4::new(group, port));
        let socket = bind_shared_udp(address).map_err(EchoError::Bind)?;
        let interface = match via {
            Interface::Routed => Ipv4Addr::UNSPECIFIED,
            Interface::Loopback => Ipv4Addr::LOCALHOST,
        };
        socket.join_multicast_v4(&group, &interface).map_err(EchoError::Join)?;
        send_to_self(&socket, interface, address, wait)
    }

    fn bind_tcp(&self, address: SocketAddr) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // As a server sets it: connections in TIME_WAIT do not count. A node that starts at this moment with the same
        // option gets the port, because this socket does not listen.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    }

    fn owner(&self, protocol: Protocol, port: u16) -> Option<Owner> {
        owner::find(protocol, port)
    }

    fn owners(&self, protocol: Protocol, address: SocketAddr) -> Vec<Owner> {
        owner::find_at(protocol, address)
    }
}

fn bind_shared_udp(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    // Both options, because a responder may set either one, and a port is shared only between sockets that set the
    // same.
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        // Without it the socket would also take the IPv4 port.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Packets that are sent at most, because one may be lost under load.
const TRIES: u32 = 3;

fn send_to_self(socket: &Socket, via: Ipv4Addr, group: SocketAddr, wait: Duration) -> Result<(), EchoError> {
    let prepare = || {
        socket.set_multicast_if_v4(&via)?;
        socket.set_multicast_loop_v4(true)?;
        socket.set_multicast_ttl_v4(0) // stays on this machine
    };
    prepare().map_err(EchoError::Join)?;
    let nonce = nonce();
    for _ in 0..TRIES {
        socket.send_to(nonce.as_bytes(), &group.into()).map_err(EchoError::Send)?;
        if hear(socket, nonce.as_bytes(), wait / TRIES).map_err(EchoError::Send)? {
            return Ok(());
        }
    }
    Err(EchoError::Silence)
}

/// Returns a text that no node takes for an announcement, and no other doctor for its own.
fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("hearthnet-doctor {:016x}", RandomState::new().hash_one(std::process::id()))
}

fn hear(mut socket: &Socket, nonce: &[u8], wait: Duration) -> io::Result<bool> {
    let until = Instant::now() + wait;
    let mut packet = [0; 256];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        // Set for each read, because packets of others use up a part of the time.
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut packet) {
            Ok(n) if packet[..n] == *nonce => return Ok(true),
            Ok(_) => {} // an announcement of another node
            Err(err) if is_pause(&err) => {}
            Err(err) => return Err(err),
        }
    }
}

fn is_pause(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
