//! Reading of `config.toml`.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use super::mistake::{self, Mistake};
use super::notes::{Examination, Notes};
use super::paths::Paths;
use super::{Config, keys, places, setting, syntax, values, variables};
use crate::failure::Failure;

impl Config {
    /// Reads the file named on the command line, else the default file if it exists.
    pub(crate) fn load(named: Option<&Path>, paths: &Paths) -> Result<Config, Failure> {
        let file = &place(named, paths)?;
        match found(named, file)? {
            Some(bytes) => Config::parse(text_of(&bytes, file)?, file, paths),
            None => Config::default().resolved(file, paths),
        }
    }

    /// Reads the file as [`Config::load`] does, and returns all that is wrong with it, and with the group and the folders that
    /// it names.
    pub(crate) fn examine(named: Option<&Path>, paths: &Paths) -> Result<Examination, Failure> {
        let file = place(named, paths)?;
        let Some(bytes) = found(named, &file)? else {
            let config = Config::default().resolved(&file, paths)?;
            places::check(&config, paths, &[], "")?;
            return Ok(Examination { exists: false, mistakes: vec![], differing: vec![], unused: vec![] });
        };
        let text = text_of(&bytes, &file)?;
        let Reading { document, config, mut mistakes, notes } = Reading::of(text);
        mistakes.extend(notes.unset.into_iter().map(|unset| unset.mistake));
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        let mut differing = Vec::new();
        if mistakes.is_empty() {
            let settings = setting::all(document.get_ref(), text);
            let effective =
                settings.iter().filter(|setting| values::is_effective(setting, &document, &config));
            differing.extend(effective.map(|setting| {
                let (line, _) = mistake::position(text, setting.span.start);
                (setting.clone(), line)
            }));
            let config = config.resolved(&file, paths)?;
            mistakes = places::check(&config, paths, &settings, text)?;
            mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        }
        Ok(Examination { exists: true, mistakes, differing, unused: notes.unused })
    }

    fn parse(text: &str, file: &Path, paths: &Paths) -> Result<Config, Failure> {
        let Reading { mut config, mistakes, notes, .. } = Reading::of(text);
        if !mistakes.is_empty() {
            return Err(mistake::failure(file, &mistakes));
        }
        config.notes = notes;
        config.resolved(file, paths)
    }
}

/// Content of a file.
struct Reading<'a> {
    /// Without the keys that this version does not read.
    document: Spanned<DeTable<'a>>,
    config: Config,
    /// In the order of the file.
    mistakes: Vec<Mistake>,
    notes: Notes,
}

impl<'a> Reading<'a> {
    fn of(text: &'a str) -> Reading<'a> {
        // Parsed apart from the types, because an error of the syntax belongs to no type.
        let mut document = match syntax::parse(text) {
            Ok(document) => document,
            Err(mistakes) => {
                let document = Spanned::new(0..0, DeTable::default());
                return Reading { document, config: Config::default(), mistakes, notes: Notes::default() };
            }
        };
        let keys::Sorted { mut mistakes, unused } = keys::sort(document.get_mut(), text);
        let (config, mut wrong) = values::read(&document, text);
        // A mistyped key is not missing as well.
        wrong.retain(|wrong| {
            let is_mistyped = mistakes.iter().any(|mistake| mistake.field == wrong.field);
            !(is_mistyped && wrong.problem.starts_with("missing field"))
        });
        mistakes.extend(wrong);
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        let unset = variables::unset(&setting::all(document.get_ref(), text), text);
        Reading { document, config, mistakes, notes: Notes { unused, unset } }
    }
}

/// Returns the file named on the command line, else the default file.
fn place(named: Option<&Path>, paths: &Paths) -> Result<PathBuf, Failure> {
    named.map_or_else(|| paths.config_file(), |file| Ok(file.to_owned()))
}

/// Returns the bytes of the file. `None` if the default file does not exist.
fn found(named: Option<&Path>, file: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        // A node runs without a file. A file named by its user must exist.
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io("read the configuration", file, &error)),
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
        let mistake = Mistake::at((valid, valid.len()), "", "not UTF-8", "save the file as UTF-8");
        mistake::failure(file, &[mistake])
    })
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

    #[test]
    fn all_mistakes_of_a_file_are_found() {
        let text = "[transport]\nport = 0\nprot = 1\n[discovery]\nstatic_peers = [\"7080\", \"http://a\", \"7081\"]\n\
                    [observability]\nlog_level = \"loud\"\nlog_compress = \"yes\"\n[[llm.backends]]\nname = \"a\"\n\
                    url = \"ftp://x\"\n[[llm.backends]]\nnam = \"b\"\nurl = \"http://b\"\n";
        let found: Vec<_> =
            Reading::of(text).mistakes.iter().map(|m| format!("{} {}", m.line, m.field)).collect();
        let expected = [
            "2 transport.port",
            "3 transport",
            "5 discovery.static_peers[0]",
            "5 discovery.static_peers[2]",
            "7 observability.log_level",
            "8 observability.log_compress",
            "11 llm.backends[0].url",
            "13 llm.backends[1]",
        ];
        assert_eq!(found, expected);
        let message = parse(text).unwrap_err().message().to_owned();
        assert!(message.starts_with("/etc/hearthnet/config.toml:2:8: transport.port: "), "{message}");
        assert!(message.ends_with("(and 7 more; `hearthnet config check` lists all)"), "{message}");
    }

    #[test]
    fn a_variable_that_is_not_set_is_noted_and_a_key_is_not_repeated() {
        let noted = |text: &str| {
            let unset = Reading::of(text).notes.unset;
            unset.iter().map(|unset| format!("{} {}", unset.mistake, unset.is_needed)).collect::<Vec<_>>()
        };
        let backend = |variable: &str| {
            noted(&format!(
                "[[llm.backends]]\nname = \"a\"\nurl = \"http://a\"\napi_key_env = \"{variable}\""
            ))
        };
        assert_eq!(
            backend("HEARTHNET_TEST_NO_SUCH_KEY"),
            [
                "4:15: llm.backends[0].api_key_env: the environment variable HEARTHNET_TEST_NO_SUCH_KEY is not set; \
              set it where the node is started, or remove the line false"
            ]
        );
        assert_eq!(backend("PATH"), [""; 0]);
        let secret = backend("sk-hunter2").concat();
        assert!(!secret.contains("hunter2") && secret.contains("such as LLM_KEY"), "{secret}");
        let headers = "otlp_headers_env = \"HEARTHNET_TEST_NO_SUCH_KEY\"";
        assert_eq!(noted(&format!("[observability]\n{headers}")), [""; 0], "nothing is exported");
        let exported = format!("[observability]\n{headers}\notlp_endpoint = \"http://a:4318\"");
        assert!(noted(&exported).concat().ends_with("true"));
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
