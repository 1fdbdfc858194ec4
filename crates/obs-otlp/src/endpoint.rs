//! Address of a collector, checked before a request is sent there.

use std::net::{Ipv4Addr, Ipv6Addr};

use ureq::http::Uri;

use crate::error::Error;
use crate::signal::Signal;

/// Returns the address to send a signal to. The error does not repeat the endpoint, because it may contain a password.
pub(crate) fn parse(endpoint: &str, signal: Signal) -> Result<Uri, Error> {
    let refused = |why| Err(Error::endpoint(why));
    let Ok(uri) = endpoint.trim_end_matches('/').parse::<Uri>() else {
        return refused("the address is not a URL");
    };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") if cfg!(feature = "tls") => {}
        Some("https") => return refused("the address is https, and this build has no TLS (feature `tls`)"),
        _ => return refused("the address does not begin with http:// or https://"),
    }
    let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
        return refused("the address has no host");
    };
    if !is_host(authority.host()) && !authority.as_str().contains('@') {
        return refused("the host is neither an ASCII name, an IPv4 address nor `[IPv6]` without a zone");
    }
    if authority.as_str().contains('@') {
        return refused("the address has a user or password, which would be sent in clear text and logged");
    }
    if !is_port(&authority.as_str()[authority.host().len()..]) {
        return refused("the port is not a number from 1 to 65535");
    }
    if uri.query().is_some() || endpoint.contains('#') {
        return refused("the address has a query or fragment");
    }
    // Parsed a second time, because `Uri` cannot append to its path.
    let whole = endpoint.trim_end_matches('/');
    let whole = match whole.ends_with(signal.path()) {
        true => whole.to_owned(),
        false => format!("{whole}{}", signal.path()),
    };
    whole.parse().or_else(|_| refused("the address is not a URL"))
}

/// Returns whether `host` can be looked up as it is written. A zone (`%25eth0`) cannot: no resolver accepts it in brackets.
fn is_host(host: &str) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.strip_suffix(']').is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok());
    }
    // A last label that looks like a number makes the host an IPv4 address, as in WHATWG's URL standard.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|c: char| c.is_ascii_digit())
        && (last.bytes().all(|byte| byte.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x"));
    let is_plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_plain && !last.is_empty() && (!is_number || host.parse::<Ipv4Addr>().is_ok())
}

/// Returns whether the rest after the host is empty or a port.
fn is_port(after_host: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let port = |text: &str| digits(text) && text.parse::<u16>().is_ok_and(|port| port > 0);
    after_host.is_empty() || after_host.strip_prefix(':').is_some_and(port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    const PATH: &str = "/v1/traces";

    fn parse(endpoint: &str) -> Result<Uri, Error> {
        super::parse(endpoint, Signal::Traces)
    }

    #[test]
    fn an_endpoint_is_a_base_or_the_whole_address() {
        for (endpoint, address) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
            ("http://collector/otlp/", "http://collector/otlp/v1/traces"),
            ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ] {
            assert_eq!(parse(endpoint).unwrap().to_string(), address);
        }
        assert_eq!(parse("https://collector").is_ok(), cfg!(feature = "tls"));
    }

    #[test]
    fn the_error_of_an_endpoint_names_field_and_remedy_and_no_secret() {
        for endpoint in [
            "",
            "collector",
            "collector:4318",
            "/v1/traces",
            "ftp://collector",
            "grpc://collector:4317",
            "http://",
            "http://:4318",
            "http://user:hunter2@collector",
            "http://hunter2@collector",
            "http://collector:0",
            "http://collector:",
            "http://collector:99999",
            "http://collector:+80",
            "http://collector:hunter2",
            "http://collector/?key=hunter2",
            "http://collector/#hunter2",
            "http://a b",
            "http://[fe80::1%25eth0]:4318",
            "http://[fe80::1%eth0]:4318",
            "http://127.1",
            "http://a%41",
            "http://collector/\u{7f}",
        ] {
            let error = parse(endpoint).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Endpoint, "endpoint"), "{endpoint}");
            let text = error.to_string();
            assert!(text.starts_with("endpoint: the ") && text.contains("http://host:4318"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "(http://)?[ -~é]{0,30}") {
            if let Ok(uri) = parse(&text) {
                prop_assert!(uri.path().ends_with(PATH) && uri.host().is_some());
            }
        }
    }
}
