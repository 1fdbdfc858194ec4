//! `mdns_socket`: the mDNS port can be shared.

use std::io::ErrorKind;

use crate::check::Context;
use crate::machine::{Protocol, is_filtered};
use crate::report::{CheckResult, SkipReason};

/// Checks that the mDNS port can be bound beside other responders.
pub(super) fn socket(cx: &Context) -> CheckResult {
    if !cx.config.mdns_enabled {
        return CheckResult::skip(SkipReason::Disabled, "`[discovery] mdns_enabled` is false");
    }
    let err = match cx.machine.sockets.bind_mdns() {
        Ok(address) => return CheckResult::pass(format!("{address} can be shared")),
        Err(err) => err,
    };
    match err.kind() {
        _ if is_filtered(&err) => CheckResult::skip(
            SkipReason::Unsupported,
            format!("sharing UDP port 5353 cannot be tried: {err}"),
        ),
        ErrorKind::AddrInUse => taken(cx),
        ErrorKind::PermissionDenied => CheckResult::fail("this user may not bind UDP port 5353")
            .fix("allow it in the container's or service's security policy, or set `[discovery] mdns_enabled = false`"),
        _ => CheckResult::fail(format!("UDP port 5353 cannot be bound: {err}"))
            .fix("bring a network interface up, or set `[discovery] mdns_enabled = false`"),
    }
}

fn taken(cx: &Context) -> CheckResult {
    let owner = cx.machine.sockets.owner(Protocol::Udp, 5353);
    let who = owner.map_or_else(|| "a process".to_owned(), |owner| owner.to_string());
    CheckResult::fail(format!("{who} does not share UDP port 5353"))
        .fix("let it share the port (avahi: `disallow-other-stacks=no`) or stop it, or set `[discovery] mdns_enabled = false`")
}
