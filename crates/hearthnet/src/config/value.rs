//! Deserializers for values that are narrower than their TOML type. Each names the allowed values when it refuses one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::capabilities::BUILT_IN;
use super::node_name::{NAME, is_name};
use crate::nearest::did_you_mean;
use crate::wire::signing::identity;

/// Integer within a range, with a description of the range.
struct Whole {
    range: RangeInclusive<i64>,
    allowed: &'static str,
}

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        match self.range.contains(&value) {
            true => Ok(value),
            false => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }
}

/// List of built-in capabilities.
pub(crate) fn offer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    match names.iter().find(|name| !BUILT_IN.contains(&name.as_str())) {
        None => Ok(Some(names)),
        Some(unknown) => Err(Error::custom(format!(
            "unknown capability {unknown:?}, expected names of `{}`{}",
            BUILT_IN.join("`, `"),
            did_you_mean(unknown, BUILT_IN),
        ))),
    }
}

pub(crate) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let whole = Whole { range: 1..=65535, allowed: "a port from 1 to 65535" };
    // The cast is lossless within the range.
    deserializer.deserialize_i64(whole).map(|port| port as u16)
}

pub(crate) fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let allowed = "calls a second from 1 to 1000000, or 0 for no limit";
    deserializer.deserialize_i64(Whole { range: 0..=1_000_000, allowed }).map(|rate| rate as u32)
}

pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let whole = Whole { range: 1..=3600, allowed: "seconds from 1 to 3600" };
    deserializer.deserialize_i64(whole).map(|seconds| Duration::from_secs(seconds as u64))
}

/// Deserializes the least number of nodes behind a figure. A figure of fewer than three would tell of single ones.
pub(crate) fn min_nodes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let whole = Whole { range: 3..=64, allowed: "nodes from 3 to 64" };
    deserializer.deserialize_i64(whole).map(|nodes| nodes as usize)
}

/// String that `parse` accepts, with a description of what it accepts.
pub(super) struct Text<T> {
    pub(super) parse: fn(&str) -> Option<T>,
    pub(super) allowed: &'static str,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

pub(crate) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    let allowed = "an IP address such as 0.0.0.0, 127.0.0.1 or ::";
    deserializer.deserialize_str(Text { parse: |text| text.parse().ok(), allowed })
}

pub(crate) fn multicast_group<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ipv4Addr, D::Error> {
    let parse = |text: &str| text.parse().ok().filter(Ipv4Addr::is_multicast);
    let allowed = "an IPv4 multicast address from 224.0.0.0 to 239.255.255.255";
    deserializer.deserialize_str(Text { parse, allowed })
}

pub(crate) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    // A path with NUL fails at its first use, far from the line that holds it.
    let parse = |text: &str| (!text.contains('\0')).then(|| PathBuf::from(text));
    deserializer
        .deserialize_str(Text { parse, allowed: "the path of a folder, or an empty string for the default" })
}

pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let parse = |text: &str| is_name(text).then(|| text.to_owned());
    deserializer.deserialize_str(Text { parse, allowed: NAME })
}

/// Deserializes a community ID. Empty is absent.
pub(crate) fn community_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let parse = |text: &str| match text {
        "" => Some(None),
        _ => identity::is_id(text).then(|| Some(text.to_owned())),
    };
    let allowed = "`ed25519:` and 32 bytes in base64url, or an empty string";
    deserializer.deserialize_str(Text { parse, allowed })
}

const BASE_URL: &str = "an address such as http://host:port, without user, query, fragment or zone (`%eth0`)";

pub(crate) fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    // The message does not repeat the address, which may hold a password.
    let text = String::deserialize(deserializer)?;
    parse_base_url(&text).ok_or_else(|| D::Error::custom(format_args!("expected {BASE_URL}")))
}

/// Parses the address of a server. Returns `None` for any other URL.
pub(crate) fn parse_base_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    // Port 0 means any free port to `bind` and nothing to `connect`.
    let usable = matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.port() != Some(0);
    (plain && usable && url.fragment().is_none() && is_as_written(text, &url)).then_some(url)
}

/// Returns whether the URL has the host as it is written. The URL standard repairs what other programs refuse or read
/// differently, such as `http:/x`, `127.1` or a name beyond ASCII.
fn is_as_written(text: &str, url: &Url) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    let is_name =
        |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let same = match host.starts_with('[') {
        true => authority.starts_with('['),
        false => is_name(host) && authority.to_ascii_lowercase().split(':').next() == Some(host),
    };
    same && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !authority.contains('@')
        && !authority.ends_with(':')
}

/// Maximum number of peers. Each costs a request every few seconds.
const MAX_PEERS: usize = 64;

pub(crate) fn base_urls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Url>, D::Error> {
    struct Urls;

    impl<'de> Visitor<'de> for Urls {
        type Value = Vec<Url>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX_PEERS} addresses such as [\"http://host:port\"]")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Url>, A::Error> {
            let mut urls = Vec::new();
            // Each element is checked before the count, so that the message names the first wrong one.
            while let Some(BaseUrl(url)) = seq.next_element()? {
                urls.push(url);
            }
            match urls.len() {
                ..=MAX_PEERS => Ok(urls),
                n => Err(A::Error::invalid_length(n, &self)),
            }
        }
    }
    deserializer.deserialize_seq(Urls)
}

#[derive(Deserialize)]
struct BaseUrl(#[serde(deserialize_with = "base_url")] Url);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_refused() {
        assert!(parse_base_url("http://127.0.0.1:11434/v1").is_some());
        for wrong in ["http://u:p@host", "host:7080", "ftp://host", "http://host:0", "http://host/?key=1"] {
            assert_eq!(parse_base_url(wrong), None, "{wrong}");
        }
    }
}
