//! Address of the node that a command asks.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::Args;
use reqwest::Url;

use super::overrides::Overrides;
use crate::config::parse_base_url;

/// Option `--url`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct UrlArg {
    /// Node to ask, as `host:port` or `http(s)://host:port` [default: the node of the configuration].
    #[arg(long, global = true, value_name = "URL", conflicts_with = "port")]
    url: Option<NodeUrl>,
}

impl UrlArg {
    /// Returns the named node, else the one at `local`.
    pub(crate) fn node(&self, local: SocketAddr) -> NodeUrl {
        self.url.clone().unwrap_or_else(|| NodeUrl::of(local))
    }

    /// Returns whether the caller named a node.
    pub(crate) fn is_named(&self) -> bool {
        self.url.is_some()
    }

    /// Returns the options that make another command ask the same node.
    pub(crate) fn for_node(&self, overrides: &Overrides) -> String {
        self.url.as_ref().map_or_else(|| overrides.for_node(), |url| format!(" --url {url}"))
    }
}

/// Address of a node: scheme, host, port and perhaps a path in front of its routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeUrl(Url);

impl NodeUrl {
    /// Returns the address of the node that listens on `address`.
    pub(crate) fn of(address: SocketAddr) -> NodeUrl {
        let text = format!("http://{address}");
        NodeUrl(Url::parse(&text).expect("an address and a port are a host"))
    }

    /// Returns the address of a configured peer.
    pub(crate) fn of_peer(base: &Url) -> NodeUrl {
        NodeUrl(base.clone())
    }

    /// Returns the URL of the route at `path`, with the encoded `query`.
    pub(crate) fn route(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = crate::wire::client::join(&self.0, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// Renders `127.0.0.1:7080`, or the whole URL if it says more than a host and a port.
impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.0;
        match (url.scheme(), url.path(), url.port_or_known_default()) {
            ("http", "/", Some(port)) => write!(f, "{}:{port}", url.host_str().unwrap_or_default()),
            _ => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

impl FromStr for NodeUrl {
    type Err = NodeUrlError;

    fn from_str(text: &str) -> Result<NodeUrl, NodeUrlError> {
        // Without this, `garage:7080` would be a URL with the scheme `garage`.
        let has_scheme = text.contains("://");
        let url = if has_scheme { text.to_owned() } else { format!("http://{text}") };
        if !has_scheme && !has_port(text) {
            return Err(NodeUrlError::NoPort);
        }
        parse_base_url(&url).map(NodeUrl).ok_or_else(|| reason(&url))
    }
}

/// Returns whether a port follows the host. The colons of an IPv6 address are in brackets.
fn has_port(text: &str) -> bool {
    let host_and_port = text.split(['/', '?', '#']).next().unwrap_or_default();
    let behind = host_and_port.rsplit(']').next().unwrap_or_default();
    behind.matches(':').count() == 1 && !behind.ends_with(':')
}

/// Returns the reason for which `url` is not the address of a node.
fn reason(url: &str) -> NodeUrlError {
    let Ok(url) = Url::parse(url) else { return NodeUrlError::NoAddress };
    if !matches!(url.scheme(), "http" | "https") {
        NodeUrlError::Scheme
    } else if !url.username().is_empty() || url.password().is_some() {
        NodeUrlError::Credentials
    } else if url.query().is_some() || url.fragment().is_some() {
        NodeUrlError::Query
    } else {
        NodeUrlError::NoAddress
    }
}

/// Reason for which a text is not the address of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeUrlError {
    NoAddress,
    NoPort,
    Scheme,
    Credentials,
    Query,
}

impl fmt::Display for NodeUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self {
            NodeUrlError::NoAddress => "it is not an address with a port from 1 to 65535",
            NodeUrlError::NoPort => "the port is missing, or an IPv6 address has no brackets",
            NodeUrlError::Scheme => "a node is reached by `http` or `https` only",
            NodeUrlError::Credentials => "a node takes no user and password",
            NodeUrlError::Query => "the address of a node has no query and no fragment",
        };
        write!(f, "{problem}; use an address such as `garage:7080`, `[::1]:7080` or `https://garage:7080`")
    }
}

impl std::error::Error for NodeUrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_host_with_a_port_or_a_url() {
        #[track_caller]
        fn check(text: &str, shown: &str, route: &str) {
            let node: NodeUrl = text.parse().unwrap();
            assert_eq!(node.to_string(), shown);
            assert_eq!(node.route("/health", &[]).as_str(), route);
        }
        check("garage:7080", "garage:7080", "http://garage:7080/health");
        check("127.0.0.1:7080", "127.0.0.1:7080", "http://127.0.0.1:7080/health");
        check("[::1]:7080", "[::1]:7080", "http://[::1]:7080/health");
        check("http://garage", "garage:80", "http://garage/health");
        check("https://garage:7443/", "https://garage:7443", "https://garage:7443/health");
        check("http://garage:1/base/", "http://garage:1/base", "http://garage:1/base/health");
        assert_eq!(NodeUrl::of(([127, 0, 0, 1], 7080).into()), "127.0.0.1:7080".parse().unwrap());
    }

    #[test]
    fn a_query_is_encoded() {
        let node: NodeUrl = "garage:7080".parse().unwrap();
        let url = node.route("/trace/recent", &[("n", "3"), ("capability", "ü&n=9")]);
        assert_eq!(url.query(), Some("n=3&capability=%C3%BC%26n%3D9"));
    }

    #[test]
    fn a_bad_address_has_a_reason_and_an_example() {
        for (text, reason) in [
            ("", NodeUrlError::NoPort),
            ("garage", NodeUrlError::NoPort),
            ("garage:", NodeUrlError::NoPort),
            ("::1", NodeUrlError::NoPort),
            ("::1:7080", NodeUrlError::NoPort),
            ("garage:0", NodeUrlError::NoAddress),
            ("garage:70000", NodeUrlError::NoAddress),
            ("gar age:7080", NodeUrlError::NoAddress),
            ("http://", NodeUrlError::NoAddress),
            ("http://127.1:7080", NodeUrlError::NoAddress),
            ("ftp://garage:7080", NodeUrlError::Scheme),
            ("http://ada:secret@garage:7080", NodeUrlError::Credentials),
            ("http://garage:7080/?a=1", NodeUrlError::Query),
            ("http://garage:7080/#a", NodeUrlError::Query),
        ] {
            let error = text.parse::<NodeUrl>().unwrap_err();
            assert_eq!(error, reason, "{text:?}");
            assert!(error.to_string().contains("; use an address such as `garage:7080`"));
        }
    }
}
