//! Reading of `config.toml`.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use super::Config;
use super::paths::Paths;
use crate::failure::Failure;

impl Config {
    /// Reads the file named on the command line, else the default file if it exists.
    pub(crate) fn load(named: Option<&Path>, paths: &Paths) -> Result<Config, Failure> {
        let file = &named.map_or_else(|| paths.config_file(), |file| Ok(file.to_owned()))?;
        match read(file) {
            Ok(bytes) => Config::parse(text_of(&bytes, file)?, file, paths),
            // A node runs without a file. A file named by its user must exist.
            Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => {
                Config::default().resolved(file, paths)
            }
            Err(error) => Err(Failure::io("read the configuration", file, &error)),
        }
    }

    fn parse(text: &str, file: &Path, paths: &Paths) -> Result<Config, Failure> {
        let refused = |field: String, error: &toml::de::Error| {
            let position = position(file, text, error.span().map_or(0, |span| span.start));
            let field = if field == "." { String::new() } else { format!("{field}: ") };
            Failure::error(format!("{position}: {field}{}", error.message()))
        };
        // Parsed apart from the types, because an error of the syntax belongs to no field.
        let document = toml::Deserializer::parse(text).map_err(|error| refused(".".to_owned(), &error))?;
        // serde itself names no path, such as `llm.backends[0].url`.
        let config: Config = serde_path_to_error::deserialize(document)
            .map_err(|error| refused(error.path().to_string(), error.inner()))?;
        config.resolved(file, paths)
    }
}

/// Reads the file, up to the maximum size of a configuration.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    // Far more than any configuration. A device such as `/dev/zero` would never end.
    const MAX_BYTES: u64 = 1 << 20;
    // Opening a pipe without a writer blocks for ever.
    if is_pipe(file)? {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is a pipe: name a regular file"));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        ..=MAX_BYTES => Ok(bytes),
        _ => Err(io::Error::new(
            ErrorKind::FileTooLarge,
            "larger than 1 MiB: check that it is a configuration",
        )),
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

/// Decodes the file. The error names the line and column of the first byte that is not UTF-8.
fn text_of<'a>(bytes: &'a [u8], file: &Path) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        Failure::error(format!("{}: not UTF-8: save the file as UTF-8", position(file, valid, valid.len())))
    })
}

/// Returns `file:line:column` of the byte at `offset`. Both numbers count from 1.
fn position(file: &Path, text: &str, offset: usize) -> String {
    // An offset inside a character cannot be sliced.
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
    format!("{}:{line}:{column}", file.display())
}

#[cfg(test)]
#[path = "hostile.rs"]
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
    fn a_file_that_is_not_utf8_is_refused_with_its_position() {
        let file = Path::new("config.toml");
        let message = text_of(b"[transport]\nhost = \"\xff\"", file).unwrap_err().message().to_owned();
        assert!(message.starts_with("config.toml:2:9: ") && message.contains("UTF-8"), "{message}");
        assert_eq!(text_of("Küche".as_bytes(), file).unwrap(), "Küche");
    }

    #[test]
    fn sections_of_other_modules_are_not_checked() {
        parse("[rag]\nenabled = true\n[ui]\nport = 7860\n[file]\ngc_threshold = 0.8\n").unwrap();
    }

    #[test]
    fn empty_paths_are_defaults_and_relative_ones_start_at_the_folder_of_the_file() {
        let config = parse("[identity]\nkeys_dir = \"\"\n[observability]\nlog_dir = \"logs\"").unwrap();
        assert_eq!(config.identity.keys_dir, Path::new("/home/ada/data/keys"));
        assert_eq!(config.observability.log_dir(), Path::new("/etc/hearthnet/logs"));
    }

    /// Every field takes and refuses the same addresses.
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

    /// Each refusal names file, line, field and the allowed values.
    #[test]
    fn a_refusal_names_file_line_field_and_allowed_values() {
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
            "observability.log_level: `loud` is not a level",
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
