//! Who asks: what is for this machine alone is not answered to others.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;
use http::{HeaderMap, header};

/// The address that a request came from, which the server puts into the request's extensions.
///
/// The routes that answer this machine alone refuse everybody while a server does not.
///
/// ```
/// use obs_facade::http::Caller;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(Caller(([127, 0, 0, 1], 50_000).into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller(pub SocketAddr);

/// Whether the request was made on this machine; else the reason to refuse it.
///
/// A browser here can be led to ask for a stranger's page, and a proxy here asks for strangers: neither is taken
/// for somebody at this machine.
pub(super) fn is_on_this_machine(request: &Parts) -> Result<(), &'static str> {
    let Some(Caller(address)) = request.extensions.get::<Caller>() else {
        return Err("the server does not say where requests come from");
    };
    if !address.ip().to_canonical().is_loopback() {
        return Err("only callers on this machine are answered");
    }
    if ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| request.headers.contains_key(*name))
    {
        return Err("the request came through a proxy, and only callers on this machine are answered");
    }
    match is_asked_by_address(request) {
        true => Ok(()),
        false => Err("ask by address, such as http://127.0.0.1:7080, and not by a name"),
    }
}

/// A name could be a stranger's that leads here (DNS rebinding).
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

/// The header; one that is no text is nobody's.
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
            parts.extensions.insert(Caller(address.parse().unwrap()));
        }
        is_on_this_machine(&parts)
    }

    #[test]
    fn f1_only_this_machine_by_address_and_not_by_proxy() {
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
        for far in ["192.168.1.9:9", "[::ffff:10.0.0.1]:9", "[fe80::1]:9", "0.0.0.0:9"] {
            assert!(check(Some(far), &[("host", "127.0.0.1")]).is_err(), "{far}");
        }
        assert!(check(None, &[]).is_err());
    }
}
