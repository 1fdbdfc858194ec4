//! Sections of `config.toml`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::target::Target;
use super::value;

/// `[identity]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IdentitySection {
    /// Where the device's keys are. Empty: `<DATA>/keys`.
    #[serde(deserialize_with = "value::path")]
    pub(crate) keys_dir: PathBuf,
    /// What people call this node.
    #[serde(deserialize_with = "value::name")]
    pub(crate) display_name: String,
}

/// `[community]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CommunitySection {
    /// The community this node is a member of. Absent: the community of one that it founds itself.
    #[serde(deserialize_with = "value::community_id")]
    pub(crate) community_id: Option<String>,
    /// Where communities are kept, each in a folder with its ID. Empty: `<DATA>/communities`.
    #[serde(deserialize_with = "value::path")]
    pub(crate) state_dir: PathBuf,
}

/// `[transport]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TransportSection {
    #[serde(deserialize_with = "value::address")]
    pub(crate) host: IpAddr,
    #[serde(deserialize_with = "value::port")]
    pub(crate) port: u16,
    /// Calls a second by one caller to one capability that are still usual; 0 is no limit.
    #[serde(deserialize_with = "value::rate")]
    pub(crate) rate_limit_soft_rps: u32,
    /// Calls a second by one caller to one capability beyond which calls are refused; 0 is no limit.
    #[serde(deserialize_with = "value::rate")]
    pub(crate) rate_limit_hard_rps: u32,
    /// How long a peer may take to begin its answer to a forwarded call.
    #[serde(deserialize_with = "value::seconds")]
    pub(crate) call_timeout_seconds: Duration,
}

impl Default for TransportSection {
    fn default() -> TransportSection {
        TransportSection {
            host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 7080,
            rate_limit_soft_rps: 10,
            rate_limit_hard_rps: 100,
            call_timeout_seconds: Duration::from_secs(30),
        }
    }
}

/// `[discovery]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DiscoverySection {
    pub(crate) mdns_enabled: bool,
    pub(crate) udp_enabled: bool,
    #[serde(deserialize_with = "value::multicast_group")]
    pub(crate) udp_multicast_group: Ipv4Addr,
    #[serde(deserialize_with = "value::port")]
    pub(crate) udp_port: u16,
    /// Peers that are known without discovery, each asked for its manifest.
    #[serde(deserialize_with = "value::base_urls")]
    pub(crate) static_peers: Vec<reqwest::Url>,
}

impl Default for DiscoverySection {
    fn default() -> DiscoverySection {
        DiscoverySection {
            mdns_enabled: true,
            udp_enabled: true,
            udp_multicast_group: Ipv4Addr::new(239, 255, 42, 42),
            udp_port: 42424,
            static_peers: Vec::new(),
        }
    }
}

/// `[llm]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LlmSection {
    pub(crate) backends: Vec<BackendSection>,
}

/// One of `[[llm.backends]]`: a server that speaks the OpenAI protocol.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendSection {
    #[serde(deserialize_with = "value::name")]
    pub(crate) name: String,
    #[serde(deserialize_with = "value::base_url")]
    pub(crate) url: reqwest::Url,
    /// The model that is offered. Absent: whichever the caller names.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// The environment variable that holds the backend's key, which is never in the file itself.
    #[serde(default)]
    pub(crate) api_key_env: Option<String>,
    /// How long the backend may be silent, before its answer and within it.
    #[serde(default = "llm_timeout", deserialize_with = "value::seconds")]
    pub(crate) timeout_seconds: Duration,
}

/// A model that has to be read from a slow disk first takes its time.
fn llm_timeout() -> Duration {
    Duration::from_secs(120)
}

/// `[emergency]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EmergencySection {
    /// Hosts that tell whether the internet is up. Empty: nothing is probed.
    pub(crate) probe_targets: Vec<Target>,
}

impl Default for EmergencySection {
    fn default() -> EmergencySection {
        let targets = ["1.1.1.1", "8.8.8.8", "cloudflare.com", "quad9.net"];
        EmergencySection { probe_targets: targets.map(Target::https).to_vec() }
    }
}
