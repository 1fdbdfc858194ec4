//! `transport_port`: the bus port is free, or ours.

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

const HEALTH_TIMEOUT: Duration = Duration::from_millis(800);
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(30);
const FIX_TAKEN: &str = "stop it, or set `[transport] port` to a free port";

/// Our own node answers on the port, or nobody has it and we may.
pub(super) fn transport(cx: &Context) -> CheckResult {
    let addresses = match configured(cx) {
        Ok(addresses) => addresses,
        Err(problem) => return problem,
    };
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let silence = match ask_health(cx, addresses[0]) {
            Answer::Node(id) => return judge_node(cx, asked(addresses[0]), &id),
            Answer::Stranger(what) => return stranger(cx, asked(addresses[0]), &what),
            Answer::None(why) => why,
        };
        match bind(cx, &addresses) {
            Ok(()) => return free(cx.config.port, addresses[0]),
            Err((_, err)) if tries > 0 && is_changing(&silence, &err) => thread::sleep(PAUSE),
            Err((address, err)) => return not_bound(cx, address, &err, &silence),
        }
    }
}

/// Taken and yet nobody there: a node that is starting or ending, which is worth another look.
fn is_changing(silence: &HttpError, err: &io::Error) -> bool {
    matches!(silence, HttpError::Refused | HttpError::Closed) && err.kind() == ErrorKind::AddrInUse
}

fn free(port: u16, address: SocketAddr) -> CheckResult {
    CheckResult::pass(format!("port {port} is free")).evidence("address", address)
}

fn configured(cx: &Context) -> Result<Vec<SocketAddr>, CheckResult> {
    let (host, port) = (cx.config.host.trim(), cx.config.port);
    if port == 0 {
        return Err(CheckResult::fail("port 0 is no port")
            .fix("set `[transport] port` to one of 1 to 65535, such as 7080"));
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => (bare, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default(),
    };
    if addresses.is_empty() {
        return Err(CheckResult::fail(format!("{host:?} is neither an IP address nor a name of one"))
            .fix("set `[transport] host` to an address of this machine, or 0.0.0.0 for all"));
    }
    Ok(addresses)
}

enum Answer {
    /// A HearthNet node.
    Node(String),
    /// Something else, and what it said.
    Stranger(String),
    /// There was none, and why: nobody listens, or somebody who is ending, starting or too busy.
    None(HttpError),
}

/// The address at which a socket bound to `address` answers on this machine.
fn asked(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask_health(cx: &Context, address: SocketAddr) -> Answer {
    let url = format!("http://{}/health", asked(address));
    let request = HttpRequest::get(url).direct().timeout(HEALTH_TIMEOUT).max_body_bytes(64 * 1024);
    match cx.system.http.send(&request) {
        Ok(response) => node_id(&response.body).map_or_else(
            || Answer::Stranger(format!("answers HTTP {} and is no HearthNet node", response.status)),
            Answer::Node,
        ),
        Err(HttpError::Protocol(why)) => Answer::Stranger(format!("does not speak HTTP properly ({why})")),
        Err(err) => Answer::None(err),
    }
}

fn node_id(body: &[u8]) -> Option<String> {
    let health: Value = serde_json::from_slice(body).ok()?;
    health.get("node_id")?.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

fn judge_node(cx: &Context, address: SocketAddr, id: &str) -> CheckResult {
    let port = cx.config.port;
    // A node that asks for itself knows; otherwise the key on disk says which node is ours.
    let ours = cx.bus.node_id().or_else(|| device_key::device_node_id(&cx.config.keys_dir));
    match ours {
        Some(ours) if ours == id => served(cx, address).evidence("node_id", id),
        Some(ours) => CheckResult::fail(format!("another node has port {port}: {id}"))
            .fix("stop that node, or set `[transport] port` of one of them to another port")
            .evidence("node_id", id)
            .evidence("our_node_id", ours),
        None => CheckResult::fail(format!(
            "a node has port {port}, and without a device key here it is not ours: {id}"
        ))
        .fix(
            "run `hearthnet init` and set `[transport] port` to a free port, or look at the right `keys_dir`",
        ),
    }
}

/// A node's ID is public, so anybody can answer with it; but who may not read our key is not our node.
fn served(cx: &Context, address: SocketAddr) -> CheckResult {
    const ROOT: u32 = 0; // may read it, and opens ports for others (systemd, docker)
    const UNKNOWN: u32 = 65_534; // a user of another namespace
    let key = cx.system.files.metadata(&device_key::seed_path(&cx.config.keys_dir)).map(|meta| meta.uid());
    let port = address.port();
    // The kernel chooses among several sockets on one address for each connection, so one stranger is enough.
    let stranger = |key| {
        let owners = cx.system.sockets.owners(Protocol::Tcp, address);
        owners.into_iter().find(|owner| ![key, ROOT, UNKNOWN].contains(&owner.uid))
    };
    match key.map(|key| (key, stranger(key))) {
        Ok((key, Some(owner))) => CheckResult::fail(format!(
            "{owner} has port {port} and says it is this node, whose key is of uid {key}"
        ))
        .fix("find out what that process is; stop it, or run the node as the user who owns its key"),
        _ => CheckResult::pass(format!("port {port} is served by this node")),
    }
}

fn stranger(cx: &Context, address: SocketAddr, what: &str) -> CheckResult {
    let port = address.port();
    let who = name(cx.system.sockets.owners(Protocol::Tcp, address).first());
    CheckResult::fail(format!("{who} has port {port}: it {what}")).fix(FIX_TAKEN)
}

fn name(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "another program".to_owned(), Owner::to_string)
}

fn bind(cx: &Context, addresses: &[SocketAddr]) -> Result<(), (SocketAddr, io::Error)> {
    let bind = |&address: &SocketAddr| cx.system.sockets.bind_tcp(address).map_err(|err| (address, err));
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
            format!("whether {address} can be bound may not be tried: {err}"),
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

/// EAFNOSUPPORT, for which std has no kind.
const NO_FAMILY: i32 = 97;

fn in_use(cx: &Context, address: SocketAddr, silence: &HttpError) -> CheckResult {
    let port = address.port();
    let owners = cx.system.sockets.owners(Protocol::Tcp, address);
    if owners.iter().any(|owner| owner.pid == Some(std::process::id())) {
        return CheckResult::pass(format!(
            "port {port} belongs to this process, which is too busy to answer"
        ));
    }
    if let HttpError::Other(why) = silence {
        let detail = format!("port {port} is taken, and who has it could not be asked: {why}");
        return CheckResult::skip(SkipReason::Unsupported, detail);
    }
    CheckResult::fail(format!("{} has port {port} and does not answer", name(owners.first()))).fix(FIX_TAKEN)
}
