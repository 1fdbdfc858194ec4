//! The node's configuration (X04): what `config.toml` may say, and how it is refused.
//!
//! Whatever is wrong is refused while reading, so that the message can name file, line, field and what
//! is allowed. Nothing is silently replaced.

mod file;
pub(crate) mod node_name;
pub(crate) mod paths;
mod sections;
pub(crate) mod target;
pub(crate) mod template;
mod value;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use obs_facade::{ObservabilityConfig, doctor};
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::paths::Paths;
pub(crate) use self::sections::BackendSection;
use self::sections::{
    CommunitySection, DiscoverySection, EmergencySection, IdentitySection, LlmSection, TransportSection,
};
use crate::failure::Failure;

/// Everything that the node reads, with the defaults for what the file leaves out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) identity: IdentitySection,
    pub(crate) community: CommunitySection,
    pub(crate) transport: TransportSection,
    pub(crate) discovery: DiscoverySection,
    pub(crate) llm: LlmSection,
    pub(crate) emergency: EmergencySection,
    pub(crate) observability: ObservabilityConfig,

    // Sections that other modules of a node read from the same file.
    #[serde(rename = "bus")]
    _bus: Option<IgnoredAny>,
    #[serde(rename = "embedding")]
    _embedding: Option<IgnoredAny>,
    #[serde(rename = "rag")]
    _rag: Option<IgnoredAny>,
    #[serde(rename = "file")]
    _file: Option<IgnoredAny>,
    #[serde(rename = "market")]
    _market: Option<IgnoredAny>,
    #[serde(rename = "chat")]
    _chat: Option<IgnoredAny>,
    #[serde(rename = "ui")]
    _ui: Option<IgnoredAny>,
}

impl Config {
    /// Empty paths become the usual folders, relative ones are beside the file.
    pub(crate) fn resolved(mut self, file: &Path, paths: &Paths) -> Result<Config, Failure> {
        let place =
            |path: &Path, usual: fn(&Paths) -> Result<PathBuf, Failure>| match path.as_os_str().is_empty() {
                true => usual(paths),
                false => paths::resolve(path, file),
            };
        self.identity.keys_dir = place(&self.identity.keys_dir, Paths::keys)?;
        self.community.state_dir = place(&self.community.state_dir, Paths::communities)?;
        let log_dir = place(self.observability.log_dir(), Paths::log)?;
        self.observability = self.observability.with_log_dir(log_dir);
        Ok(self)
    }

    /// The folder with all communities. A `state_dir` that already ends in the community's ID is meant
    /// as the folder of that one.
    pub(crate) fn communities_dir(&self, id: &str) -> &Path {
        let dir = self.community.state_dir.as_path();
        match dir.parent() {
            Some(parent) if !id.is_empty() && dir.ends_with(id) => parent,
            _ => dir,
        }
    }

    /// The folder of the community `id`.
    pub(crate) fn community_dir(&self, id: &str) -> PathBuf {
        self.communities_dir(id).join(id)
    }

    /// What the doctor's checks read of this configuration.
    pub(crate) fn for_doctor(&self, paths: &Paths) -> doctor::Config {
        let backends = self.llm.backends.iter().map(|backend| {
            let url = backend.url.as_str().trim_end_matches('/');
            doctor::LlmBackend::new(&backend.name, url).api_key_env(backend.api_key_env.clone())
        });
        let community_id = self.community.community_id.clone();
        let config = doctor::Config::new(paths.data(&self.identity.keys_dir));
        let config = match self.observability.clock_anchors() {
            Some(anchors) => config.clock_anchors(anchors),
            None => config,
        };
        config
            .keys_dir(&self.identity.keys_dir)
            .communities_dir(self.communities_dir(community_id.as_deref().unwrap_or_default()))
            .community_id(community_id)
            .host(self.transport.host.to_string())
            .port(self.transport.port)
            .mdns_enabled(self.discovery.mdns_enabled)
            .udp_enabled(self.discovery.udp_enabled)
            .udp_multicast_group(self.discovery.udp_multicast_group.to_string())
            .udp_port(self.discovery.udp_port)
            .llm_backends(backends)
    }

    /// Where the node listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.transport.host, self.transport.port)
    }

    /// Where the node answers on this machine: one that listens everywhere does so on loopback too.
    pub(crate) fn local_address(&self) -> SocketAddr {
        let ip = match self.transport.host {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, self.transport.port)
    }

    /// The configured name of the node, else that of this machine.
    pub(crate) fn node_name(&self) -> String {
        match self.identity.display_name.as_str() {
            "" => node_name::of_machine(),
            name => name.to_owned(),
        }
    }
}
