//! `udp_multicast`: a packet to the discovery group comes back.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::check::Context;
use crate::machine::{EchoError, Interface, Protocol, is_filtered};
use crate::report::{CheckResult, SkipReason};

/// Wait for the packet. Two attempts, on the routed interface and on loopback, fit into the deadline of a check (2 s).
const WAIT: Duration = Duration::from_millis(450);

/// Checks that the discovery port can be bound, the group joined, and a packet to it received.
pub(super) fn echo(cx: &Context) -> CheckResult {
    if !cx.config.udp_enabled {
        return CheckResult::skip(SkipReason::Disabled, "`[discovery] udp_enabled` is false");
    }
    let (group, port) = match configured(cx) {
        Ok(address) => address,
        Err(problem) => return problem,
    };
    let sockets = &cx.machine.sockets;
    match sockets.multicast_echo(group, port, Interface::Routed, WAIT) {
        Ok(()) => CheckResult::pass(format!("{group}:{port} joined and received")),
        Err(EchoError::Join(err) | EchoError::Send(err)) if is_unplugged(&err) => {
            without_network(group, port, sockets.multicast_echo(group, port, Interface::Loopback, WAIT))
        }
        Err(err) => explain(cx, group, port, &err),
    }
}

fn configured(cx: &Context) -> Result<(Ipv4Addr, u16), CheckResult> {
    let (text, port) = (&cx.config.udp_multicast_group, cx.config.udp_port);
    let group = text.parse().ok().filter(Ipv4Addr::is_multicast).ok_or_else(|| {
        CheckResult::fail(format!("{text:?} is not an IPv4 multicast address"))
            .fix("set `[discovery] udp_multicast_group` to one of 224.0.0.0 to 239.255.255.255, such as 239.255.42.42")
    })?;
    if port == 0 {
        return Err(CheckResult::fail("UDP port 0 cannot be used")
            .fix("set `[discovery] udp_port` to one of 1 to 65535, such as 42424"));
    }
    Ok((group, port))
}

/// Returns whether there is no route for multicast: the cable is unplugged, or the machine has no network on purpose.
fn is_unplugged(err: &io::Error) -> bool {
    // ENODEV has no `ErrorKind` in std.
    const NO_DEVICE: i32 = 19;
    matches!(err.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown)
        || matches!(err.kind(), ErrorKind::AddrNotAvailable)
        || err.raw_os_error() == Some(NO_DEVICE)
}

fn without_network(group: Ipv4Addr, port: u16, on_loopback: Result<(), EchoError>) -> CheckResult {
    match on_loopback {
        Ok(()) => {
            CheckResult::pass(format!("{group}:{port} joined and received on loopback; no network is up"))
                .evidence("interface", "loopback")
        }
        Err(EchoError::Join(err) | EchoError::Send(err)) if is_unplugged(&err) => {
            CheckResult::skip(SkipReason::Offline, "no network interface is up")
        }
        Err(EchoError::Bind(err) | EchoError::Join(err)) if is_filtered(&err) => {
            CheckResult::skip(SkipReason::Unsupported, format!("{group}:{port} cannot be tried: {err}"))
        }
        Err(err) => CheckResult::fail(format!("no network is up, and on loopback: {err}")).fix(fix_config()),
    }
}

fn explain(cx: &Context, group: Ipv4Addr, port: u16, err: &EchoError) -> CheckResult {
    match err {
        // `send` is not listed here: its EPERM comes from a firewall.
        EchoError::Bind(io) | EchoError::Join(io) if is_filtered(io) => {
            CheckResult::skip(SkipReason::Unsupported, format!("{group}:{port} cannot be tried: {err}"))
        }
        EchoError::Send(io) if io.kind() == ErrorKind::Unsupported => {
            CheckResult::skip(SkipReason::Unsupported, format!("{group}:{port} cannot be tried: {err}"))
        }
        EchoError::Bind(io) if io.kind() == ErrorKind::AddrInUse => {
            let owner = cx.machine.sockets.owner(Protocol::Udp, port);
            let who = owner.map_or_else(|| "a process".to_owned(), |owner| owner.to_string());
            CheckResult::fail(format!("{who} does not share UDP port {port}"))
                .fix("stop it, or set `[discovery] udp_port` to a port that all nodes of the community use")
        }
        EchoError::Bind(io) if io.kind() == ErrorKind::PermissionDenied => {
            CheckResult::fail(format!("this user may not bind UDP port {port}"))
                .fix("set `[discovery] udp_port` to 1024 or above, or allow it in the security policy")
        }
        EchoError::Silence => {
            CheckResult::fail(format!("{group}:{port} was joined, but a packet to it did not come back"))
                .fix(format!("let the firewall pass UDP port {port} to {group}"))
        }
        EchoError::Send(_) => CheckResult::fail(format!("{group}:{port}: {err}")).fix(format!(
            "let the firewall pass packets to {group}, or set `[discovery] udp_enabled = false`"
        )),
        _ => CheckResult::fail(format!("{group}:{port}: {err}")).fix(fix_config()),
    }
}

fn fix_config() -> &'static str {
    "allow multicast on the network interface, or set `[discovery] udp_enabled = false`"
}
