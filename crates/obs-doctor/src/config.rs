//! The part of the node's configuration that the checks read.

use std::fmt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::text::redact;

/// The part of a node's configuration that the checks read.
///
/// [`Config::default`] is the configuration of a new node in the user's data folder: `XDG_DATA_HOME` on Linux, the
/// platform's own folder elsewhere. [`Config::new`] uses another data folder. The `Debug` output hides passwords and tokens
/// in addresses.
///
/// ```
/// let config = obs_doctor::Config::new("/srv/hearthnet").port(7081).mdns_enabled(false).offline(true);
/// assert_eq!(config.keys_dir, std::path::Path::new("/srv/hearthnet/keys"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// `[identity] keys_dir`: folder of `device.ed25519` and `device.pub`.
    pub keys_dir: PathBuf,
    /// Data folder, whose disk needs free space.
    pub data_dir: PathBuf,
    /// `[community] state_dir`: parent of one folder for each community.
    pub communities_dir: PathBuf,
    /// `[community] community_id`; `None` checks every community in the folder.
    pub community_id: Option<String>,
    /// `[observability] log_dir`: folder of the log. Without it the log folder is not checked.
    pub log_dir: Option<PathBuf>,
    /// `[transport] host`: address that the bus listens on.
    pub host: String,
    /// `[transport] port`: TCP port of the bus.
    pub port: u16,
    /// `[discovery] mdns_enabled`.
    pub mdns_enabled: bool,
    /// `[discovery] udp_enabled`.
    pub udp_enabled: bool,
    /// `[discovery] udp_multicast_group`: an IPv4 multicast address.
    pub udp_multicast_group: String,
    /// `[discovery] udp_port`.
    pub udp_port: u16,
    /// `[[llm.backends]]`.
    pub llm_backends: Vec<LlmBackend>,
    /// HTTP addresses whose `Date` header tells the time. The first three are asked. Without any the clock is not checked.
    pub clock_anchors: Vec<String>,
    /// Whether checks that need the internet are skipped.
    pub offline: bool,
}

/// Language-model server of the configuration.
///
/// Its `Debug` output hides a password or token in the address.
///
/// ```
/// let backend = obs_doctor::LlmBackend::new("ollama", "http://me:secret@127.0.0.1:11434");
/// assert!(!format!("{backend:?}").contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LlmBackend {
    /// `name`, shown to people.
    pub name: String,
    /// `url`: base address, with or without `/v1`.
    pub url: String,
    /// `api_key_env`: name of the environment variable that holds its key.
    pub api_key_env: Option<String>,
}

impl LlmBackend {
    /// Creates a backend called `name` at the base address `url`.
    #[must_use]
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self { name: name.into(), url: url.into(), api_key_env: None }
    }

    /// Sets [`api_key_env`](Self::api_key_env).
    #[must_use]
    pub fn api_key_env(mut self, variable: Option<String>) -> Self {
        self.api_key_env = variable;
        self
    }
}

impl fmt::Debug for LlmBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmBackend")
            .field("name", &redact(&self.name))
            .field("url", &redact(&self.url))
            .field("api_key_env", &self.api_key_env)
            .finish()
    }
}

/// Default clock anchors: three operators that answer plain HTTP uncached, with 204 and no body.
pub(crate) const CLOCK_ANCHORS: [&str; 3] = [
    "http://cp.cloudflare.com/generate_204",
    "http://www.google.com/generate_204",
    "http://connectivity-check.ubuntu.com/",
];

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let anchors: Vec<_> = self.clock_anchors.iter().map(|anchor| redact(anchor)).collect();
        f.debug_struct("Config")
            .field("keys_dir", &self.keys_dir)
            .field("data_dir", &self.data_dir)
            .field("communities_dir", &self.communities_dir)
            .field("community_id", &self.community_id)
            .field("log_dir", &self.log_dir)
            .field("host", &redact(&self.host))
            .field("port", &self.port)
            .field("mdns_enabled", &self.mdns_enabled)
            .field("udp_enabled", &self.udp_enabled)
            .field("udp_multicast_group", &self.udp_multicast_group)
            .field("udp_port", &self.udp_port)
            .field("llm_backends", &self.llm_backends)
            .field("clock_anchors", &anchors)
            .field("offline", &self.offline)
            .finish()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new(default_data_dir())
    }
}

impl Config {
    /// Creates the default configuration of a node whose data folder is `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            keys_dir: data_dir.join("keys"),
            communities_dir: data_dir.join("communities"),
            data_dir,
            community_id: None,
            log_dir: None,
            host: "0.0.0.0".to_owned(),
            port: 7080,
            mdns_enabled: true,
            udp_enabled: true,
            udp_multicast_group: "239.255.42.42".to_owned(),
            udp_port: 42424,
            llm_backends: Vec::new(),
            clock_anchors: CLOCK_ANCHORS.map(str::to_owned).to_vec(),
            offline: false,
        }
    }

    /// Sets [`keys_dir`](Self::keys_dir).
    #[must_use]
    pub fn keys_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.keys_dir = dir.into();
        self
    }

    /// Sets [`data_dir`](Self::data_dir) only. The other folders do not change.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = dir.into();
        self
    }

    /// Sets [`communities_dir`](Self::communities_dir).
    #[must_use]
    pub fn communities_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.communities_dir = dir.into();
        self
    }

    /// Sets [`community_id`](Self::community_id).
    #[must_use]
    pub fn community_id(mut self, id: Option<String>) -> Self {
        self.community_id = id;
        self
    }

    /// Sets [`log_dir`](Self::log_dir).
    #[must_use]
    pub fn log_dir(mut self, dir: Option<PathBuf>) -> Self {
        self.log_dir = dir;
        self
    }

    /// Sets [`host`](Self::host).
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Sets [`port`](Self::port).
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets [`mdns_enabled`](Self::mdns_enabled).
    #[must_use]
    pub fn mdns_enabled(mut self, enabled: bool) -> Self {
        self.mdns_enabled = enabled;
        self
    }

    /// Sets [`udp_enabled`](Self::udp_enabled).
    #[must_use]
    pub fn udp_enabled(mut self, enabled: bool) -> Self {
        self.udp_enabled = enabled;
        self
    }

    /// Sets [`udp_multicast_group`](Self::udp_multicast_group).
    #[must_use]
    pub fn udp_multicast_group(mut self, group: impl Into<String>) -> Self {
        self.udp_multicast_group = group.into();
        self
    }

    /// Sets [`udp_port`](Self::udp_port).
    #[must_use]
    pub fn udp_port(mut self, port: u16) -> Self {
        self.udp_port = port;
        self
    }

    /// Sets [`llm_backends`](Self::llm_backends).
    #[must_use]
    pub fn llm_backends(mut self, backends: impl IntoIterator<Item = LlmBackend>) -> Self {
        self.llm_backends = backends.into_iter().collect();
        self
    }

    /// Sets [`clock_anchors`](Self::clock_anchors).
    #[must_use]
    pub fn clock_anchors<S: Into<String>>(mut self, anchors: impl IntoIterator<Item = S>) -> Self {
        self.clock_anchors = anchors.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`offline`](Self::offline).
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }
}

/// Returns the data folder of a node that configures none, as the `hearthnet` command chooses it.
///
/// A service user may have no home. Its data folder is then `/var/lib/hearthnet`, as packages lay it out.
fn default_data_dir() -> PathBuf {
    user_data_dir().unwrap_or_else(|| Path::new("/var/lib/hearthnet").to_owned())
}

/// `directories` returns nothing without a home, even where `XDG_DATA_HOME` is set. So the variable is read first.
#[cfg(not(any(windows, target_os = "macos")))]
fn user_data_dir() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    set.map(|base| base.join("hearthnet")).or_else(project_data_dir)
}

#[cfg(any(windows, target_os = "macos"))]
fn user_data_dir() -> Option<PathBuf> {
    project_data_dir()
}

fn project_data_dir() -> Option<PathBuf> {
    let dirs = ProjectDirs::from("", "", "hearthnet")?;
    Some(dirs.data_dir().to_owned()).filter(|path| path.is_absolute())
}
