//! Cookie of a session.

use http::HeaderMap;
use http::header::COOKIE;
use http::uri::Authority;

/// Values of the session's cookie that are looked at. Servers on other ports of the host can add some.
const MOST_VALUES: usize = 8;

/// Port of an address that names none.
const DEFAULT_PORT: u16 = 80;

/// Returns the values of the session's cookie in a request.
pub(super) fn values<'a>(headers: &'a HeaderMap, host: &Authority) -> impl Iterator<Item = &'a str> {
    let name = name(host);
    let all = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let pairs = all.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value).take(MOST_VALUES)
}

/// Returns a header's value that sets the cookie until the browser ends.
///
/// A page's script cannot read it, and no request of another site carries it.
pub(super) fn set(host: &Authority, secret: &str) -> String {
    format!("{}={secret}; Path=/console; HttpOnly; SameSite=Strict", name(host))
}

/// Returns a header's value that removes the cookie.
pub(super) fn remove(host: &Authority) -> String {
    format!("{}; Max-Age=0", set(host, ""))
}

/// Returns the cookie's name. It has the port, because all servers of a host share their cookies.
fn name(host: &Authority) -> String {
    format!("hearthnet-console-{}", host.port_u16().unwrap_or(DEFAULT_PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_the_own_port_are_found() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=b; hearthnet-console-7080=one;hearthnet-console-80=two".parse().unwrap());
        headers.append(COOKIE, "hearthnet-console-7080=three; =; hearthnet-console-7080".parse().unwrap());
        let own = |host| values(&headers, &Authority::from_static(host)).collect::<Vec<_>>();
        assert_eq!(own("127.0.0.1:7080"), ["one", "three"]);
        assert_eq!(own("[::1]"), ["two"]);
        assert!(own("127.0.0.1:7860").is_empty());
        let many = "hearthnet-console-80=x;".repeat(1000).parse().unwrap();
        headers.insert(COOKIE, many);
        assert_eq!(values(&headers, &Authority::from_static("h")).count(), MOST_VALUES);
    }
}
