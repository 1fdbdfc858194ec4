//! Configuration of the node: the fields of `config.toml`, their defaults and the places of its files.
//!
//! A wrong value is refused while the file is read, because the message can then name file, line, field and the
//! allowed values. No value is replaced silently.

mod capabilities;
pub(crate) mod federated;
mod fields;
mod file;
mod keys;
pub(crate) mod mistake;
pub(crate) mod node_name;
mod notes;
pub(crate) mod paths;
mod places;
mod sections;
mod setting;
mod syntax;
pub(crate) mod target;
pub(crate) mod template;
mod value;
mod values;
pub(crate) mod variables;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use obs_facade::{ObservabilityConfig, doctor};
use serde::Deserialize;

#[cfg(test)]
pub(crate) use self::capabilities::BUILT_IN;
use self::federated::FederatedSection;
pub(crate) use self::notes::{Examination, Notes};
use self::paths::{Folder, Paths};
pub(crate) use self::sections::BackendSection;
use self::sections::{
    BusSection, CommunitySection, DiscoverySection, EmergencySection, IdentitySection, LlmSection,
    TransportSection,
};
pub(crate) use self::value::parse_base_url;
use crate::failure::Failure;

/// All sections that the node reads. A field that the file leaves out has its default.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) identity: IdentitySection,
    pub(crate) community: CommunitySection,
    pub(crate) transport: TransportSection,
    pub(crate) discovery: DiscoverySection,
    pub(crate) bus: BusSection,
    pub(crate) llm: LlmSection,
    pub(crate) emergency: EmergencySection,
    pub(crate) observability: ObservabilityConfig,
    /// Section `[observability.federated]`, which the facade does not know.
    #[serde(skip)]
    pub(crate) federated: FederatedSection,

    #[serde(skip)]
    pub(crate) notes: Notes,
}

impl Config {
    /// Replaces empty paths by the default folders, and resolves relative ones against the folder of the file.
    ///
    /// A folder that has no place and is not needed gets an empty path.
    pub(crate) fn resolved(mut self, file: &Path, paths: &Paths) -> Result<Config, Failure> {
        type Default = fn(&Paths) -> Result<PathBuf, Failure>;
        let place = |path: &Path, folder: Folder, default: Default| {
            let found = match path.as_os_str().is_empty() {
                true => default(paths),
                false => paths::resolve(path, file),
            };
            if paths.needs(folder) { found } else { Ok(found.unwrap_or_default()) }
        };
        self.identity.keys_dir = place(&self.identity.keys_dir, Folder::Keys, Paths::keys)?;
        self.community.state_dir = place(&self.community.state_dir, Folder::Communities, Paths::communities)?;
        let log_dir = place(self.observability.log_dir(), Folder::Log, Paths::log)?;
        self.observability = self.observability.with_log_dir(log_dir);
        // A node keeps a history unless it is told otherwise. A program with the library does so if it is told.
        if self.observability.keeps_history().is_none() {
            self.observability = self.observability.history(true);
        }
        Ok(self)
    }

    /// Returns the folder of all communities. If `state_dir` ends in the ID of the community, it is the folder of that
    /// community, and its parent is returned.
    pub(crate) fn communities_dir(&self, id: &str) -> &Path {
        let dir = self.community.state_dir.as_path();
        match dir.parent() {
            // `ends_with` compares whole components, and an empty path is the end of every other.
            Some(parent) if !id.is_empty() && dir.ends_with(id) => parent,
            _ => dir,
        }
    }

    /// Returns the folder of the community `id`.
    pub(crate) fn community_dir(&self, id: &str) -> PathBuf {
        self.communities_dir(id).join(id)
    }

    /// Returns the configuration of the doctor's checks.
    pub(crate) fn for_doctor(&self, paths: &Paths) -> doctor::Config {
        let backends = self.llm.backends.iter().map(|backend| {
            // The doctor appends paths of its own.
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
            .log_dir(Some(self.observability.log_dir().to_owned()).filter(|dir| !dir.as_os_str().is_empty()))
            .host(self.transport.host.to_string())
            .port(self.transport.port)
            .mdns_enabled(self.discovery.mdns_enabled)
            .udp_enabled(self.discovery.udp_enabled)
            .udp_multicast_group(self.discovery.udp_multicast_group.to_string())
            .udp_port(self.discovery.udp_port)
            .llm_backends(backends)
    }

    /// Returns the address on which the node listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.transport.host, self.transport.port)
    }

    /// Returns the address at which this machine reaches the node. It is loopback if the node listens on all
    /// addresses.
    pub(crate) fn local_address(&self) -> SocketAddr {
        let ip = match self.transport.host {
            ip if !ip.is_unspecified() => ip,
            // Connecting to the unspecified address works on Linux only.
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, self.transport.port)
    }

    /// Returns the configured name of the node, else the name of this machine.
    pub(crate) fn node_name(&self) -> String {
        match self.identity.display_name.as_str() {
            "" => node_name::of_machine(),
            name => name.to_owned(),
        }
    }
}
