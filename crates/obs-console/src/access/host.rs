//! Check of the host that a request names, against DNS rebinding.
//!
//! A page of another site can resolve its own name to this machine. Its requests have that name in `Host`.

use std::net::IpAddr;

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

use crate::refused::Refused;

/// Returns the host and port that the request names, or refuses a name that is not one of this machine.
pub(super) fn named_host(request: &Parts, own: &[String]) -> Result<Authority, Refused> {
    let mut headers = request.headers.get_all(HOST).iter();
    let header = headers.next().map(|host| Authority::try_from(host.as_bytes()));
    if headers.next().is_some() {
        return Err(Refused::bad_request("the request has more than one `Host` header"));
    }
    let authority = match (request.uri.authority(), header) {
        (Some(of_target), Some(Ok(header))) if *of_target == header => header,
        (Some(of_target), None) => of_target.clone(),
        (None, Some(Ok(header))) => header,
        (_, None) => return Err(Refused::bad_request("the request has no `Host` header")),
        _ => return Err(Refused::forbidden("the request names no host; use an address such as 127.0.0.1")),
    };
    if authority.as_str().contains('@') || !is_of_this_machine(authority.host(), own) {
        return Err(Refused::forbidden(
            "the request names another host; use an address such as 127.0.0.1, or a name of this machine",
        ));
    }
    Ok(authority)
}

fn is_of_this_machine(host: &str, own: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.strip_suffix('.').unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || own.iter().any(|own| name.eq_ignore_ascii_case(own.strip_suffix('.').unwrap_or(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, hosts: &[&str]) -> bool {
        let mut request = http::Request::get(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let request = request.body(()).unwrap().into_parts().0;
        named_host(&request, &["Home-Server".to_owned(), "home-server.local.".to_owned()]).is_ok()
    }

    #[test]
    fn addresses_and_own_names_pass() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:7080",
            "[::1]:7080",
            "192.168.1.5:7080",
            "localhost:7080",
            "LOCALHOST.",
            "home-server:7080",
            "HOME-SERVER.local",
            "home-server.local.:7080",
        ] {
            assert!(check("/console/", &[host]), "{host}");
        }
        assert!(check("http://127.0.0.1:7080/console/", &[]));
    }

    #[test]
    fn other_names_are_refused() {
        for host in [
            "evil.example",
            "evil.example:7080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "home-server.evil.example",
            "127.0.0.1@evil.example",
            "evil@127.0.0.1",
            "0x7f.1",
            "",
            "a b",
            "?",
        ] {
            assert!(!check("/console/", &[host]), "{host}");
        }
        assert!(!check("/console/", &[]));
        assert!(!check("/console/", &["127.0.0.1", "127.0.0.1"]));
        assert!(!check("http://127.0.0.1/console/", &["evil.example"]));
        assert!(!check("http://evil.example/console/", &["127.0.0.1"]));
    }
}
