//! Targets of connection probes.

use std::fmt;

use serde::{Deserialize, Deserializer};

use super::value::{Text, parse_base_url};

/// Host and port to which a TCP connection is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    pub(crate) fn https(host: &str) -> Target {
        Target { host: host.to_owned(), port: 443 }
    }

    /// Parses `host`, `host:port` or a URL. The default port is 443.
    fn parse(text: &str) -> Option<Target> {
        let with_scheme = match text.contains("://") {
            true => text.to_owned(),
            // The colons of a bare IPv6 address would be taken for a port.
            false if text.parse::<std::net::Ipv6Addr>().is_ok() => format!("https://[{text}]"),
            false => format!("https://{text}"),
        };
        let url = parse_base_url(&with_scheme)?;
        // `TcpStream::connect` takes an IPv6 address without brackets.
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Target { host, port: url.port_or_known_default()? })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
        let allowed = "a host, as `host` or `host:port`";
        deserializer.deserialize_str(Text { parse: Target::parse, allowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_with_or_without_its_port() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(Target::parse(text).unwrap().to_string(), expected);
        }
        check("1.1.1.1", "1.1.1.1:443");
        check("1.1.1.1:53", "1.1.1.1:53");
        check("cloudflare.com", "cloudflare.com:443");
        check("http://cloudflare.com", "cloudflare.com:80");
        check("2606:4700::1111", "[2606:4700::1111]:443");
        check("[::1]:8080", "[::1]:8080");
        for wrong in ["", "a b", "host:99999", "host:0", "http://", "user@host"] {
            assert_eq!(Target::parse(wrong), None, "{wrong:?}");
        }
    }
}
