//! Sections of `config.toml`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::target::Target;
use super::value;

/// Section `[identity]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IdentitySection {
    /// Folder of the device keys. Empty: `<DATA>/keys`.
    #[serde(deserialize_with = "value::path")]
    pub(crate) keys_dir: PathBuf,
    /// Name of the node for people.
    #[serde(deserialize_with = "value::name")]
    pub(crate) display_name: String,
}

/// Section `[community]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CommunitySection {
    /// Community of this node. Absent: the community of one member that the node founds itself.
    #[serde(deserialize_with = "value::community_id")]
    pub(crate) community_id: Option<String>,
    /// Folder of the communities, each in a folder named by its ID. Empty: `<DATA>/communities`.
    #[serde(deserialize_with = "value::path")]
    pub(crate) state_dir: PathBuf,
}

/// Section `[transport]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TransportSection {
    #[serde(deserialize_with = "value::address")]
    pub(crate) host: IpAddr,
    #[serde(deserialize_with = "value::port")]
    pub(crate) port: u16,
    /// Soft limit on the calls a second of one caller to one capability. Calls above it are counted and logged. 0 is
    /// no limit.
    #[serde(deserialize_with = "value::rate")]
    pub(crate) rate_limit_soft_rps: u32,
    /// Hard limit on the calls a second of one caller to one capability. Calls above it are refused. 0 is no limit.
    #[serde(deserialize_with = "value::rate")]
    pub(crate) rate_limit_hard_rps: u32,
    /// Maximum time until a peer begins to answer a forwarded call.
    #[serde(deserialize_with = "value::seconds")]
    pub(crate) call_timeout_seconds: Duration,
}

impl Default for TransportSection {
    fn default() -> TransportSection {
        TransportSection {
            // Neighbours must reach the node without configuration.
            host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 7080,
            // A person with a chat client makes fewer. A loop makes more within a second.
            rate_limit_soft_rps: 10,
            rate_limit_hard_rps: 100,
            call_timeout_seconds: Duration::from_secs(30),
        }
    }
}

/// Section `[discovery]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DiscoverySection {
    pub(crate) mdns_enabled: bool,
    pub(crate) udp_enabled: bool,
    #[serde(deserialize_with = "value::multicast_group")]
    pub(crate) udp_multicast_group: Ipv4Addr,
    #[serde(deserialize_with = "value::port")]
    pub(crate) udp_port: u16,
    /// Addresses of peers that are known without discovery.
    #[serde(deserialize_with = "value::base_urls")]
    pub(crate) static_peers: Vec<reqwest::Url>,
}

impl DiscoverySection {
    /// Returns whether a peer is named or can be discovered.
    pub(crate) fn may_find_peers(&self) -> bool {
        self.mdns_enabled || self.udp_enabled || !self.static_peers.is_empty()
    }
}

impl Default for DiscoverySection {
    fn default() -> DiscoverySection {
        DiscoverySection {
            mdns_enabled: true,
            udp_enabled: true,
            // Administratively scoped: it does not leave the home network.
            udp_multicast_group: Ipv4Addr::new(239, 255, 42, 42),
            udp_port: 42424,
            static_peers: Vec::new(),
        }
    }
}

/// Section `[bus]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BusSection {
    /// Names of the built-in capabilities that this node answers itself. Absent: all of them.
    #[serde(deserialize_with = "value::offer")]
    pub(crate) offer: Option<Vec<String>>,
}

/// Section `[llm]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LlmSection {
    pub(crate) backends: Vec<BackendSection>,
}

/// Entry of `[[llm.backends]]`: a server that speaks the OpenAI protocol.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendSection {
    #[serde(deserialize_with = "value::name")]
    pub(crate) name: String,
    #[serde(deserialize_with = "value::base_url")]
    pub(crate) url: reqwest::Url,
    /// Model that is offered. Absent: the caller names one.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// Environment variable with the key of the backend. The file never holds the key itself.
    #[serde(default)]
    pub(crate) api_key_env: Option<String>,
    /// Maximum silence of the backend, before its answer and within it.
    #[serde(default = "llm_timeout", deserialize_with = "value::seconds")]
    pub(crate) timeout_seconds: Duration,
}

/// Long enough for a server that loads a model from a slow disk.
fn llm_timeout() -> Duration {
    Duration::from_secs(120)
}

/// Section `[emergency]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EmergencySection {
    /// Hosts that show whether the internet is reachable. Empty: none is probed.
    pub(crate) probe_targets: Vec<Target>,
}

impl Default for EmergencySection {
    fn default() -> EmergencySection {
        // Two by address and two by name, of different operators.
        let targets = ["1.1.1.1", "8.8.8.8", "cloudflare.com", "quad9.net"];
        EmergencySection { probe_targets: targets.map(Target::https).to_vec() }
    }
}
