//! `transport_port`: the bus port is free, or this node has it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::check::Context;
use crate::device_key;
use crate::machine::{HttpError, HttpRequest, Owner, Protocol, is_filtered};
use crate::report::{CheckResult, SkipReason};

/// Time for `GET /health`. Two attempts fit into the deadline of a check (2 s).
const HEALTH_TIMEOUT: Duration = Duration::from_millis(800);
// A node that starts or stops is in between for some milliseconds.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(30);
// Shared by all findings about another owner of the port.
const FIX_TAKEN: &str = "stop it, or set `[transport] port` to a free port";

/// Checks that this node answers on the port, or that the port is free and can be bound.
pub(super) fn transport(cx: &Context) -> CheckResult {
    let addresses = match configured(cx) {
        Ok(addresses) => addresses,
        Err(problem) => return problem,
    };
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let silence = match ask_health(cx, addresses[0]) {
            Responder::Node(id) => return judge_node(cx, asked(addresses[0]), &id),
            Responder::Stranger(what) => return stranger(cx, asked(addresses[0]), &what),
            Responder::None(why) => why,
        };
        match bind(cx, &addresses) {
            Ok(()) => return free(cx.config.port, addresses[0]),
            Err((_, err)) if tries > 0 && is_changing(&silence, &err) => thread::sleep(PAUSE),
            Err((address, err)) => return not_bound(cx, address, &err, &silence),
        }
    }
}

/// Returns whether the port is taken while no process answers: a node is starting or stopping, so another attempt may
/// succeed.
fn is_changing(silence: &HttpError, err: &io::Error) -> bool {
    matches!(silence, HttpError::Refused | HttpError::Closed) && err.kind() == ErrorKind::AddrInUse
}

fn free(port: u16, address: SocketAddr) -> CheckResult {
    CheckResult::pass(format!("port {port} is free")).evidence("address", address)
}

fn configured(cx: &Context) -> Result<Vec<SocketAddr>, CheckResult> {
    let (host, port) = (cx.config.host.trim(), cx.config.port);
    if port == 0 {
        return Err(CheckResult::fail("port 0 cannot be used")
            .fix("set `[transport] port` to one of 1 to 65535, such as 7080"));
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => (bare, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default(),
    };
    if addresses.is_empty() {
        return Err(CheckResult::fail(format!("{host:?} is neither an IP address nor a known host name"))
            .fix("set `[transport] host` to an address of this machine, or 0.0.0.0 for all"));
    }
    Ok(addresses)
}

/// Process that answered on the port.
enum Responder {
    /// A HearthNet node, with its ID.
    Node(String),
    /// Another program, with its behaviour.
    Stranger(String),
    /// None, with the reason: no process listens, or one that is stopping, starting or too busy.
    None(HttpError),
}

/// Returns the address to ask: loopback for a wildcard, else `address`.
fn asked(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask_health(cx: &Context, address: SocketAddr) -> Responder {
    let url = format!("http://{}/health", asked(address));
    let request = HttpRequest::get(url).direct().timeout(HEALTH_TIMEOUT).max_body_bytes(64 * 1024);
    match cx.machine.http.send(&request) {
        Ok(response) => node_id(&response.body).map_or_else(
            || Responder::Stranger(format!("answers HTTP {} and is not a HearthNet node", response.status)),
            Responder::Node,
        ),
        Err(HttpError::Protocol(why)) => {
            Responder::Stranger(format!("does not answer in valid HTTP ({why})"))
        }
        Err(err) => Responder::None(err),
    }
}

fn node_id(body: &[u8]) -> Option<String> {
    let health: Value = serde_json::from_slice(body).ok()?;
    health.get("node_id")?.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

fn judge_node(cx: &Context, address: SocketAddr, id: &str) -> CheckResult {
    let port = cx.config.port;
    // Inside a node the bus knows the ID. A command derives it from the key on disk.
    let ours = cx.bus.node_id().or_else(|| device_key::device_node_id(&cx.config.keys_dir));
    match ours {
        Some(ours) if ours == id => served(cx, address).evidence("node_id", id),
        Some(ours) => CheckResult::fail(format!("another node has port {port}: {id}"))
            .fix("stop that node, or set `[transport] port` of one of them to another port")
            .evidence("node_id", id)
            .evidence("our_node_id", ours),
        None => CheckResult::fail(format!(
            "a node has port {port}, and there is no device key to identify it with: {id}"
        ))
        .fix(
            "set `[identity] keys_dir` to the node's keys, or run `hearthnet init` and set `[transport] port` to a free port",
        ),
    }
}

/// Checks the user of the process that answers with our ID. The ID is public, so any program can answer with it, but a
/// process that may not read our key is not our node.
fn served(cx: &Context, address: SocketAddr) -> CheckResult {
    // Root may read the key, and opens ports for other users (systemd, docker).
    const ROOT: u32 = 0;
    // The kernel shows this ID for a user of another namespace.
    const UNKNOWN: u32 = 65_534;
    let key = cx.machine.files.metadata(&device_key::seed_path(&cx.config.keys_dir)).map(|meta| meta.uid());
    let port = address.port();
    // The kernel picks one of several sockets on an address for each connection, so one stranger among them is a fault.
    let stranger = |key| {
        let owners = cx.machine.sockets.owners(Protocol::Tcp, address);
        owners.into_iter().find(|owner| ![key, ROOT, UNKNOWN].contains(&owner.uid))
    };
    match key.map(|key| (key, stranger(key))) {
        Ok((key, Some(owner))) => CheckResult::fail(format!(
            "{owner} has port {port} and claims to be this node, whose key belongs to uid {key}"
        ))
        .fix("identify that process and stop it, or run the node as the owner of its key"),
        _ => CheckResult::pass(format!("port {port} is served by this node")),
    }
}

fn stranger(cx: &Context, address: SocketAddr, what: &str) -> CheckResult {
    let port = address.port();
    let who = name(cx.machine.sockets.owners(Protocol::Tcp, address).first());
    CheckResult::fail(format!("{who} has port {port}: it {what}")).fix(FIX_TAKEN)
}

fn name(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "another program".to_owned(), Owner::to_string)
}

fn bind(cx: &Context, addresses: &[SocketAddr]) -> Result<(), (SocketAddr, io::Error)> {
    let bind = |&address: &SocketAddr| cx.machine.sockets.bind_tcp(address).map_err(|err| (address, err));
    // A host name may have several addresses. Each of them is tried.
    addresses.iter().try_for_each(bind)
}

fn not_bound(cx: &Context, address: SocketAddr, err: &io::Error, silence: &HttpError) -> CheckResult {
    let port = address.port();
    match err.kind() {
        ErrorKind::AddrInUse if *silence == HttpError::Closed => {
            stranger(cx, asked(address), "closes the connection without an answer")
        }
        ErrorKind::AddrInUse => in_use(cx, address, silence),
        _ if is_filtered(err) => CheckResult::skip(
            SkipReason::Unsupported,
            format!("binding {address} cannot be tried: {err}"),
        ),
        ErrorKind::PermissionDenied => CheckResult::fail(format!("this user may not bind port {port}")).fix(
            "set `[transport] port` to 1024 or above, or give the program the capability CAP_NET_BIND_SERVICE",
        ),
        ErrorKind::AddrNotAvailable => CheckResult::fail(format!("this machine has no address {}", address.ip()))
            .fix("set `[transport] host` to an address of this machine, or 0.0.0.0 for all"),
        _ if address.is_ipv6() && err.raw_os_error() == Some(NO_FAMILY) => {
            CheckResult::fail("this machine has no IPv6").fix("set `[transport] host` to 0.0.0.0")
        }
        _ => CheckResult::fail(format!("{address} cannot be bound: {err}"))
            .fix("set `[transport] host` and `port` to an address of this machine and a free port"),
    }
}

/// EAFNOSUPPORT, which has no `ErrorKind` in std.
const NO_FAMILY: i32 = 97;

fn in_use(cx: &Context, address: SocketAddr, silence: &HttpError) -> CheckResult {
    let port = address.port();
    let owners = cx.machine.sockets.owners(Protocol::Tcp, address);
    // A node that runs its own doctor may have no free thread to answer itself.
    if owners.iter().any(|owner| owner.pid == Some(std::process::id())) {
        return CheckResult::pass(format!(
            "port {port} belongs to this process, which is too busy to answer"
        ));
    }
    if let HttpError::Other(why) | HttpError::Filtered(why) = silence {
        let detail = format!("port {port} is taken, and its owner could not be asked: {why}");
        return CheckResult::skip(SkipReason::Unsupported, detail);
    }
    CheckResult::fail(format!("{} has port {port} and does not answer", name(owners.first()))).fix(FIX_TAKEN)
}
