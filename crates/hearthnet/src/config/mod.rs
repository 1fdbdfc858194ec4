//! The node's configuration (X04): what `config.toml` may say, and how it is refused.
//!
//! Whatever is wrong is refused while reading, so that the message can name file, line, field and what
//! is allowed. Nothing is silently replaced.

pub(crate) mod paths;
pub(crate) mod template;
pub(crate) mod value;

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use obs_facade::{ObservabilityConfig, doctor};
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::paths::Paths;
use self::value::Target;
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

impl Config {
    /// Reads the file named on the command line, or the one at its usual place if there is one.
    pub(crate) fn load(named: Option<&Path>, paths: &Paths) -> Result<Config, Failure> {
        let file = &named.map_or_else(|| paths.config_file(), |file| Ok(file.to_owned()))?;
        match read(file) {
            Ok(bytes) => Config::parse(text_of(&bytes, file)?, file, paths),
            Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => {
                Config::default().resolved(file, paths)
            }
            Err(error) => Err(Failure::io("read the configuration", file, &error)),
        }
    }

    fn parse(text: &str, file: &Path, paths: &Paths) -> Result<Config, Failure> {
        let refused = |field: String, error: &toml::de::Error| {
            let place = place(file, text, error.span().map_or(0, |span| span.start));
            let field = if field == "." { String::new() } else { format!("{field}: ") };
            Failure::error(format!("{place}: {field}{}", error.message()))
        };
        let document = toml::Deserializer::parse(text).map_err(|error| refused(".".to_owned(), &error))?;
        let config: Config = serde_path_to_error::deserialize(document)
            .map_err(|error| refused(error.path().to_string(), error.inner()))?;
        config.resolved(file, paths)
    }

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
}

/// The file, unless it is larger than any configuration.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    const MAX_BYTES: u64 = 1 << 20;
    // To open a pipe that nobody writes to takes for ever.
    if is_pipe(file)? {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is a pipe, and a configuration is a file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        ..=MAX_BYTES => Ok(bytes),
        _ => Err(io::Error::new(ErrorKind::FileTooLarge, "larger than 1 MiB, which no configuration is")),
    }
}

#[cfg(unix)]
fn is_pipe(file: &Path) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt as _;
    file.metadata().map(|found| found.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_file: &Path) -> io::Result<bool> {
    Ok(false)
}

/// TOML is UTF-8; where it is not is said as any other mistake in the file.
fn text_of<'a>(bytes: &'a [u8], file: &Path) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        Failure::error(format!("{}: is not UTF-8: save the file as UTF-8", place(file, valid, valid.len())))
    })
}

/// `file:line:column`, both from 1, of the byte at `offset`.
fn place(file: &Path, text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
    format!("{}:{line}:{column}", file.display())
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Failure> {
        Config::parse(text, Path::new("/etc/hearthnet/config.toml"), &Paths::under(Path::new("/home/ada")))
    }

    #[test]
    fn an_empty_file_is_the_default_configuration() {
        let config = parse("").unwrap();
        assert_eq!(config.address(), "0.0.0.0:7080".parse().unwrap());
        assert_eq!(config.identity.keys_dir, Path::new("/home/ada/data/keys"));
        assert_eq!(config.observability.log_dir(), Path::new("/home/ada/state/log"));
        assert_eq!((config.transport.rate_limit_soft_rps, config.transport.rate_limit_hard_rps), (10, 100));
        assert!(config.discovery.mdns_enabled && config.discovery.udp_enabled);
    }

    #[test]
    fn a_node_that_listens_everywhere_answers_on_loopback() {
        let local =
            |host| parse(&format!("transport.host = \"{host}\"")).unwrap().local_address().to_string();
        assert_eq!(local("0.0.0.0"), "127.0.0.1:7080");
        assert_eq!(local("::"), "[::1]:7080");
        assert_eq!(local("192.168.1.20"), "192.168.1.20:7080");
    }

    #[test]
    fn f4_a_file_that_is_no_text_is_refused_with_its_place() {
        let file = Path::new("config.toml");
        let message = text_of(b"[transport]\nhost = \"\xff\"", file).unwrap_err().message().to_owned();
        assert!(message.starts_with("config.toml:2:9: ") && message.contains("UTF-8"), "{message}");
        assert_eq!(text_of("Küche".as_bytes(), file).unwrap(), "Küche");
    }

    #[test]
    fn what_other_modules_read_is_left_to_them() {
        parse("[rag]\nenabled = true\n[ui]\nport = 7860\n[file]\ngc_threshold = 0.8\n").unwrap();
    }

    #[test]
    fn empty_paths_are_the_usual_ones_and_relative_ones_are_beside_the_file() {
        let config = parse("[identity]\nkeys_dir = \"\"\n[observability]\nlog_dir = \"logs\"").unwrap();
        assert_eq!(config.identity.keys_dir, Path::new("/home/ada/data/keys"));
        assert_eq!(config.observability.log_dir(), Path::new("/etc/hearthnet/logs"));
    }

    /// One address gets one answer, whichever field it stands in.
    #[test]
    fn every_field_takes_and_refuses_the_same_addresses() {
        let fields = |url: &str| {
            [
                format!("[observability]\notlp_endpoint = {url:?}"),
                format!("[discovery]\nstatic_peers = [{url:?}]"),
                format!("[[llm.backends]]\nname = \"a\"\nurl = {url:?}"),
                format!("[emergency]\nprobe_targets = [{url:?}]"),
            ]
        };
        let good = [
            "http://127.0.0.1:4318",
            "HTTP://collector",
            "http://localhost:1",
            "http://[::1]:4318",
            "http://[0:0::1]",
            "http://collector.:4318/base",
            "http://a_b-c.example:65535",
        ];
        let bad = [
            "http://[fe80::1%25eth0]:4318",
            "http://[fe80::1%eth0]:4318",
            "http://fe80::1:4318",
            "http://u:p@host",
            "http://@host",
            "http://host:0",
            "http://host:65536",
            "http://host:",
            "http://",
            "http:///x",
            "http:/x",
            "http://:80",
            "http://h\u{e9}te",
            "http://a b",
            " http://host",
            "http://host/?k=1",
            "http://host/#f",
            "http://host/?",
            "http://127.1",
            "http://256.1.1.1",
            "http://0x7f.0.0.1",
            "http://a%41",
            "http://[::1",
            "ftp://host",
            "http://host\\x",
        ];
        for url in good {
            for text in fields(url) {
                parse(&text).unwrap_or_else(|failure| panic!("{url}: {}", failure.message()));
            }
        }
        for url in bad {
            for text in fields(url) {
                assert!(parse(&text).is_err(), "{text}");
            }
        }
    }

    /// Each refusal names file, line, field and what is allowed.
    #[test]
    fn f4_what_is_wrong_is_said_with_file_line_field_and_what_is_allowed() {
        #[track_caller]
        fn check(text: &str, place: &str, field: &str, allowed: &str) {
            let message = parse(text).unwrap_err().message().to_owned();
            let rest = message.strip_prefix("/etc/hearthnet/config.toml:").unwrap();
            assert!(rest.starts_with(place), "{message}");
            assert!(rest.contains(field), "{message}");
            assert!(rest.contains(allowed), "{message}");
        }
        check("[transport]\nport = 0", "2:8", "transport.port", "a port from 1 to 65535");
        check("[transport]\nport = 70000", "2:8", "transport.port", "a port from 1 to 65535");
        check("[transport]\nport = \"x\"", "2:8", "transport.port", "a port from 1 to 65535");
        check("[transport]\nhost = \"here\"", "2:8", "transport.host", "an IP address such as 0.0.0.0");
        check("[transport]\nprot = 1", "2:1", "transport", "`host`, `port`");
        check("\n[transprot]\nport = 1", "2:2", "transprot", "`transport`");
        check(
            "[observability]\nlog_level = \"loud\"",
            "2:13",
            "observability.log_level: `loud` is no level",
            "debug",
        );
        check(
            "[observability]\nlog_max_bytes = 1000",
            "2:17",
            "observability.log_max_bytes: 1000 bytes",
            "at least 1 MiB (1048576)",
        );
        check("[observability]\nlog_compress = \"yes\"", "2:16", "observability.log_compress", "a boolean");
        check("[observability]\nmetrics_enabled = 1", "2:19", "observability.metrics_enabled", "a boolean");
        check("[community]\ncommunity_id = \"../x\"", "2:16", "community.community_id", "ed25519:");
        check(
            "[discovery]\nstatic_peers = [\"7080\"]",
            "2:17",
            "discovery.static_peers[0]",
            "http://host:port",
        );
        check(
            "[discovery]\nudp_multicast_group = \"10.0.0.1\"",
            "2:23",
            "udp_multicast_group",
            "239.255.255.255",
        );
        check("[[llm.backends]]\nname = \"a\"\nurl = \"ftp://x\"", "3:7", "llm.backends[0].url", "http");
        check("[[llm.backends]]\nurl = \"http://x\"", "1:1", "llm.backends[0]", "name");
        check("[emergency]\nprobe_targets = [\"a b\"]", "2:18", "emergency.probe_targets[0]", "host:port");
        check("[transport]\nrate_limit_soft_rps = -1", "2:23", "rate_limit_soft_rps", "0 for no limit");
        check("[transport]\ncall_timeout_seconds = 0", "2:24", "call_timeout_seconds", "seconds from 1");
        check("[transport\nport = 1", "1:11", "", "]");
    }
}
