//! Guard of the routes that answer callers on this machine only.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::request::Parts;
use http::{HeaderMap, header};

/// Headers that a proxy adds. A proxy on this machine forwards requests of remote callers, so its loopback address
/// proves nothing.
const PROXY_HEADERS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Address of this machine at which a server took the connection of a request, as an extension of the request.
///
/// A server puts it there if it is bound to this one address, which is not loopback. A caller on this machine cannot use
/// loopback then, and the kernel gives its connection the same address at both ends. [`is_local_caller`] takes such a
/// connection as one of this machine.
///
/// A connection from another machine cannot have the address of this one: Linux drops packets that arrive from outside
/// with an address of its own (unless `accept_local` is set), and its answers would not leave the machine. A port
/// forwarder on this machine can hide its callers behind this address, as it can behind loopback. Forwarders of
/// containers do so (rootlessport of Podman), and their nodes are bound to `0.0.0.0`. So a server that is bound to all
/// addresses must not insert it.
///
/// ```
/// use std::net::SocketAddr;
///
/// use axum::extract::ConnectInfo;
/// use obs_facade::http::{LocalAddress, is_local_caller};
///
/// let remote: SocketAddr = "192.168.1.5:50000".parse()?;
/// let mut parts = http::Request::get("/doctor").body(()).unwrap().into_parts().0;
/// parts.extensions.insert(ConnectInfo(remote));
/// assert!(!is_local_caller(&parts));
/// parts.extensions.insert(LocalAddress("192.168.1.5:7080".parse()?));
/// assert!(is_local_caller(&parts), "both ends have one address");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress(pub SocketAddr);

/// Returns whether the request was made on this machine, and not by a page of another site in a browser.
///
/// The server has to put the caller's address into the request's extensions as [`ConnectInfo<SocketAddr>`]. The caller is on
/// this machine if that is a loopback address, or the server's own [`LocalAddress`]. A request
/// without one, one that came through a proxy, one that names its host other than by address or `localhost`, and one with
/// an `Origin` other than its host are not local.
///
/// ```
/// let (parts, ()) = http::Request::get("/doctor").body(()).unwrap().into_parts();
/// assert!(!obs_facade::http::is_local_caller(&parts), "no address of the caller");
/// ```
#[must_use]
pub fn is_local_caller(request: &Parts) -> bool {
    require_local_caller(request).is_ok()
}

/// Checks that the request was made on this machine, and returns the reason to refuse it otherwise.
///
/// The server has to put the caller's address into the request's extensions as [`ConnectInfo<SocketAddr>`].
pub(super) fn require_local_caller(request: &Parts) -> Result<(), &'static str> {
    let Some(ConnectInfo(address)) = request.extensions.get::<ConnectInfo<SocketAddr>>() else {
        return Err("the server does not record the caller's address (`ConnectInfo<SocketAddr>`)");
    };
    // Canonical, because a dual-stack socket shows IPv4 callers as IPv4-mapped IPv6 addresses.
    let caller = address.ip().to_canonical();
    let own = request.extensions.get::<LocalAddress>();
    let is_own = own.is_some_and(|LocalAddress(own)| own.ip().to_canonical() == caller);
    if !caller.is_loopback() && !is_own {
        return Err("only callers on this machine are answered");
    }
    if PROXY_HEADERS.iter().any(|name| request.headers.contains_key(*name)) {
        return Err("the request came through a proxy, and only callers on this machine are answered");
    }
    if !is_asked_by_address(request) {
        return Err("the request names the host; use an address such as http://127.0.0.1:7080");
    }
    match is_from_another_site(&request.headers) {
        true => Err("the request comes from a page of another site"),
        false => Ok(()),
    }
}

/// Returns whether the request names its host by IP address or as `localhost`.
///
/// Any other name could belong to a web page that resolves to this machine (DNS rebinding): a browser here would send
/// that page's requests from a loopback address.
fn is_asked_by_address(request: &Parts) -> bool {
    let authority =
        request.uri.authority().map(|authority| authority.as_str()).or_else(|| host(&request.headers));
    authority.is_none_or(|authority| {
        let host = authority.parse::<http::uri::Authority>().map(|authority| authority.host().to_owned());
        host.is_ok_and(|host| {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
        })
    })
}

/// Returns whether a browser sent the request for a page of another host or port.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    origins.any(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        origin.is_none() || origin != host(headers)
    })
}

/// Returns the `Host` header. A header that is not text becomes `?`, which no address parser accepts.
fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).map(|host| host.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(caller: Option<&str>, headers: &[(&str, &str)]) -> Result<(), &'static str> {
        let mut request = http::Request::get("/doctor");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        if let Some(address) = caller {
            parts.extensions.insert(ConnectInfo(address.parse::<SocketAddr>().unwrap()));
        }
        require_local_caller(&parts)
    }

    #[test]
    fn a_connection_with_one_address_at_both_ends_is_local_where_the_server_tells_its_own() {
        let local = |caller: &str, own: &str, host: &str| {
            let mut parts =
                http::Request::get("/doctor").header("host", host).body(()).unwrap().into_parts().0;
            parts.extensions.insert(ConnectInfo(caller.parse::<SocketAddr>().unwrap()));
            parts.extensions.insert(LocalAddress(own.parse().unwrap()));
            is_local_caller(&parts)
        };
        for (caller, own) in [
            ("192.168.1.9:9", "192.168.1.9:7080"),
            ("[::ffff:192.168.1.9]:9", "192.168.1.9:7080"),
            ("[fd00::9]:9", "[fd00::9]:7080"),
            ("127.0.0.1:9", "192.168.1.9:7080"),
        ] {
            assert!(local(caller, own, "192.168.1.9:7080"), "{caller} {own}");
            assert!(!local(caller, own, "evil.example:7080"), "the other rules hold");
        }
        for (caller, own) in [
            ("192.168.1.8:7080", "192.168.1.9:7080"),
            ("[fd00::8]:9", "[fd00::9]:9"),
            ("0.0.0.0:9", "[::]:9"),
        ] {
            assert!(!local(caller, own, "192.168.1.9:7080"), "{caller} {own}");
        }
    }

    #[test]
    fn only_local_callers_by_address_without_proxy_pass() {
        for local in ["127.0.0.1:9", "127.9.9.9:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            for host in ["127.0.0.1:7080", "[::1]:7080", "localhost", "LOCALHOST:7080", "192.168.1.9:7080"] {
                assert_eq!(check(Some(local), &[("host", host)]), Ok(()), "{local} {host}");
            }
            assert_eq!(check(Some(local), &[]), Ok(()));
            for host in
                ["evil.example:7080", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b", "?"]
            {
                assert!(check(Some(local), &[("host", host)]).is_err(), "{host}");
            }
            for proxy in ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"] {
                assert!(check(Some(local), &[(proxy, "127.0.0.1")]).is_err(), "{proxy}");
            }
        }
        let origin = |origin| check(Some("127.0.0.1:9"), &[("host", "127.0.0.1:7080"), ("origin", origin)]);
        assert_eq!(origin("http://127.0.0.1:7080"), Ok(()));
        for other in ["http://evil.example", "http://127.0.0.1:80", "null", "", "https://127.0.0.1:7080"] {
            assert!(origin(other).is_err(), "{other}");
        }
        for far in ["192.168.1.9:9", "[::ffff:10.0.0.1]:9", "[fe80::1]:9", "0.0.0.0:9"] {
            assert!(check(Some(far), &[("host", "127.0.0.1")]).is_err(), "{far}");
        }
        assert!(check(None, &[]).is_err());
    }
}
