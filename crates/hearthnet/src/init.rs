//! `hearthnet init`: makes what a node needs and is not there yet.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::Overrides;
use crate::community;
use crate::config::Config;
use crate::config_value::{NAME, is_name};
use crate::event_log;
use crate::failure::Failure;
use crate::identity::{self, Identity};
use crate::paths::Paths;
use crate::place::{self, Access, Placed};
use crate::say::{not_written, print, say};

/// Makes keys, a community of one, its event log and the configuration; keeps whatever is there.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// What people call this node and its community.
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Ask nothing: without --name the name is that of this machine.
    #[arg(long)]
    non_interactive: bool,
}

fn parse_name(text: &str) -> Result<String, String> {
    is_name(text).then(|| text.to_owned()).ok_or_else(|| format!("expected {NAME}"))
}

/// Runs the command and says what it made where.
pub(crate) fn run(args: &InitArgs, overrides: &Overrides, paths: &Paths) -> Result<(), Failure> {
    let named_config = overrides.config.as_deref();
    let config_file = &named_config.map_or_else(|| paths.config_file(), |file| Ok(file.to_owned()))?;
    // A file that is named but not there yet is the one to make.
    let named_config = named_config.filter(|file| file.exists());
    let config = match named_config {
        None if overrides.config.is_some() => Config::default().resolved(config_file, paths)?,
        named => Config::load(named, paths)?,
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None if !args.non_interactive && !config_file.exists() && io::stdin().is_terminal() => ask_name()?,
        None => usual_name(&config),
    };
    let mut made = Vec::new();
    let home = ensure(&config, Some(config_file), paths, &name, &mut |what, path, placed| {
        made.push(placed);
        tell(what, path, placed);
    })?;
    let outcome = if made.contains(&Placed::Made) {
        let (node_id, again) = (home.identity.node_id(), overrides.for_node());
        format!("This node is {node_id}. Start it with: hearthnet run{again}\n")
    } else {
        "Everything is there already; nothing was changed.\n".to_owned()
    };
    print(&outcome).map_err(|error| not_written(&error))
}

fn tell(what: &str, path: &Path, placed: Placed) {
    let verb = match placed {
        Placed::Made => "made",
        Placed::Kept => "kept",
    };
    say(format_args!("{verb}  {what:<18} {}", path.display()));
}

fn ask_name() -> Result<String, Failure> {
    let usual = machine_name();
    loop {
        let mut out = io::stdout().lock();
        let _ = write!(out, "Name of this node [{usual}]: ").and_then(|()| out.flush());
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        match (read, answer.trim()) {
            (Err(error), _) => return Err(Failure::error(format!("cannot read the answer: {error}"))),
            (Ok(_), "") => return Ok(usual),
            (Ok(_), name) if is_name(name) => return Ok(name.to_owned()),
            (Ok(_), _) => say(format_args!("That is not {NAME}.")),
        }
    }
}

/// The configured name, else that of this machine.
pub(crate) fn usual_name(config: &Config) -> String {
    match config.identity.display_name.as_str() {
        "" => machine_name(),
        name => name.to_owned(),
    }
}

fn machine_name() -> String {
    sysinfo::System::host_name().filter(|name| is_name(name)).unwrap_or_else(|| "hearth".to_owned())
}

/// What a node needs to start, all of it there.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) identity: Identity,
    pub(crate) community_id: String,
    pub(crate) event_log: PathBuf,
    pub(crate) blobs: PathBuf,
}

/// Makes whatever is missing of keys, community, event log, blobs folder and `config_file`, and tells each
/// to `tell`.
///
/// Every step is whole or absent and each looks for itself, so that what a crash left half done is
/// completed by the next call.
pub(crate) fn ensure(
    config: &Config,
    config_file: Option<&Path>,
    paths: &Paths,
    name: &str,
    tell: &mut dyn FnMut(&str, &Path, Placed),
) -> Result<Home, Failure> {
    let identity = ensure_keys(&config.identity.keys_dir, tell)?;
    let community_id = config.community.community_id.clone().unwrap_or_else(|| identity.node_id().to_owned());
    let dir = config.community_dir(&community_id);
    ensure_community(&identity, &community_id, &dir.join("manifest.json"), name, tell)?;
    let event_log = event_log::file(&dir);
    tell("event log", &event_log, event_log::create(&event_log)?);
    let blobs = paths.data(&config.identity.keys_dir).join("blobs");
    tell("blobs folder", &blobs, place::folder(&blobs)?);
    if let Some(file) = config_file {
        let text = config_text(name, &community_id);
        tell("configuration", file, place::file(file, text.as_bytes(), Access::Private)?);
    }
    Ok(Home { identity, community_id, event_log, blobs })
}

fn ensure_keys(keys_dir: &Path, tell: &mut dyn FnMut(&str, &Path, Placed)) -> Result<Identity, Failure> {
    let (seed_file, public_file) = (identity::seed_file(keys_dir), identity::public_file(keys_dir));
    if public_file.exists() && !seed_file.exists() {
        return Err(Failure::error(format!(
            "{} is missing, but device.pub beside it is there: restore the key from a backup, \
             or move device.pub away for a new identity",
            seed_file.display()
        )));
    }
    tell("keys folder", keys_dir, place::folder(keys_dir)?);
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Failure::error(format!("the system gives no randomness for a key: {error}")))?;
    tell("device key", &seed_file, place::file(&seed_file, &seed, Access::Private)?);
    // Read back: of two that start at once one lost, and both have to go on with the same key.
    let identity = Identity::load(keys_dir)?;
    tell("public key", &public_file, place::file(&public_file, &identity.public(), Access::Public)?);
    Ok(identity)
}

fn ensure_community(
    identity: &Identity,
    id: &str,
    file: &Path,
    name: &str,
    tell: &mut dyn FnMut(&str, &Path, Placed),
) -> Result<(), Failure> {
    if id == identity.node_id() {
        let manifest = format!("{:#}\n", community::found(identity, name));
        tell("community manifest", file, place::file(file, manifest.as_bytes(), Access::Public)?);
    } else if !file.exists() {
        return Err(Failure::error(format!(
            "{} is missing and cannot be made here, because another node founded the community {id}: \
             get the manifest from a member, or remove community_id from the configuration",
            file.display()
        )));
    } else {
        tell("community manifest", file, Placed::Kept);
    }
    community::load(file, id, identity).map(drop)
}

/// A configuration file with what matters, everything else as comments with its default.
fn config_text(name: &str, community_id: &str) -> String {
    let name = toml::Value::String(name.to_owned());
    format!(
        r#"# HearthNet node. Whatever is left out has the value that its comment shows, or none where that says "such as".

[identity]
display_name = {name}
# keys_dir = ""                          # empty: the keys folder of the platform

[community]
community_id = "{community_id}"
# state_dir = ""                         # empty: the communities folder of the platform

[transport]
host = "0.0.0.0"
port = 7080
# rate_limit_soft_rps = 10               # calls a second by one caller to one capability: counted and logged
# rate_limit_hard_rps = 100              # … refused with `rate_limited`; 0 is no limit
# call_timeout_seconds = 30              # how long a peer may take to begin its answer

[discovery]
# static_peers = []                      # nodes to know without discovery, such as "http://192.168.1.20:7080"
# mdns_enabled = true
# udp_enabled = true
# udp_multicast_group = "239.255.42.42"
# udp_port = 42424

# A language model for `llm.chat`, such as this: any server that speaks the OpenAI protocol.
# [[llm.backends]]
# name = "ollama"
# url = "http://127.0.0.1:11434"
# model = "qwen2.5:7b-instruct"
# api_key_env = "LLM_KEY"                # the environment variable with the key of a server that wants one
# timeout_seconds = 120                  # how long it may be silent

[emergency]
# Hosts that tell whether the internet is up; [] probes nothing.
# probe_targets = ["1.1.1.1", "8.8.8.8", "cloudflare.com", "quad9.net"]

[observability]
log_level = "info"                       # trace, debug, info, warning, error; also "info,hearthnet.node=debug"
# log_dir = ""                           # empty: the log folder of the platform
# log_console = false                    # lines on stderr too, for people
# log_max_bytes = 0                      # the most bytes of a file, from 1048576; 0 is no limit
# log_compress = false                   # finished days as .log.gz
# metrics_enabled = true
# otlp_endpoint = "http://127.0.0.1:4318" # an OpenTelemetry collector that gets the traces, such as this
# otlp_headers_env = "OTEL_EXPORTER_OTLP_HEADERS" # the environment variable with the headers that it wants, such as a key
# otlp_compression = "gzip"              # "none" for a collector that reads no gzip
# otlp_only_sampled = false              # whether traces that their caller did not sample stay on this node
# doctor_interval_seconds = 0            # how often the node asks its doctor, from 10; 0 is never
# doctor_remote = false                  # whether /doctor answers other machines too
# Addresses whose `Date` tells the doctor the time.
# doctor_clock_anchors = ["http://cp.cloudflare.com/generate_204", "http://www.google.com/generate_204", "http://connectivity-check.ubuntu.com/"]
"#
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::failure::SIGNATURE;

    fn ensure_in(home: &Path) -> Result<Vec<(String, Placed)>, Failure> {
        let paths = Paths::under(home);
        let config = Config::load(None, &paths)?;
        let mut told = Vec::new();
        let file = paths.config_file()?;
        ensure(&config, Some(&file), &paths, "garage", &mut |what, _, placed| {
            told.push((what.to_owned(), placed))
        })?;
        Ok(told)
    }

    fn files(dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, found),
                false => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }

    fn snapshot(home: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        files(home, &mut found);
        found
    }

    #[test]
    fn f4_a_second_init_changes_no_byte() {
        let home = tempfile::tempdir().unwrap();
        assert!(ensure_in(home.path()).unwrap().iter().all(|(_, placed)| *placed == Placed::Made));
        let before = snapshot(home.path());
        assert_eq!(before.len(), 5, "seed, public key, manifest, event log, configuration");
        assert!(ensure_in(home.path()).unwrap().iter().all(|(_, placed)| *placed == Placed::Kept));
        assert_eq!(snapshot(home.path()), before);
    }

    #[test]
    fn f4_whichever_file_is_missing_is_made_again_and_the_others_kept() {
        let home = tempfile::tempdir().unwrap();
        ensure_in(home.path()).unwrap();
        let before = snapshot(home.path());
        for file in before.keys().filter(|file| !file.ends_with("device.ed25519")) {
            fs::remove_file(file).unwrap();
            let told = ensure_in(home.path()).unwrap();
            assert_eq!(told.iter().filter(|(_, placed)| *placed == Placed::Made).count(), 1, "{file:?}");
            assert!(file.exists());
        }
        assert_eq!(snapshot(home.path()).len(), before.len());
    }

    #[test]
    fn a_lost_seed_is_not_silently_replaced() {
        let home = tempfile::tempdir().unwrap();
        ensure_in(home.path()).unwrap();
        fs::remove_file(home.path().join("data/keys/device.ed25519")).unwrap();
        assert!(ensure_in(home.path()).unwrap_err().message().contains("restore the key from a backup"));
    }

    #[test]
    fn f4_an_edited_manifest_is_a_signature_failure() {
        let home = tempfile::tempdir().unwrap();
        ensure_in(home.path()).unwrap();
        let found = snapshot(home.path());
        let manifest = found.keys().find(|file| file.ends_with("manifest.json")).unwrap();
        let edited = fs::read_to_string(manifest).unwrap().replace("garage", "attic");
        fs::write(manifest, edited).unwrap();
        assert_eq!(ensure_in(home.path()).unwrap_err().code(), SIGNATURE);
    }

    /// What can be set is in the file that a user edits, and each comment can be used as it stands.
    #[test]
    fn f4_the_configuration_that_init_writes_names_every_field() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        let uncommented: String = config_text("garage", &id)
            .lines()
            .map(|line| {
                line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line).to_owned() + "\n"
            })
            .collect();
        let file = home.path().join("config.toml");
        fs::write(&file, &uncommented).unwrap();
        let config = Config::load(Some(&file), &paths).unwrap();
        assert_eq!(config.emergency.probe_targets, Config::default().emergency.probe_targets);
        assert_eq!(
            config.for_doctor(&paths).clock_anchors,
            obs_facade::doctor::Config::default().clock_anchors
        );

        for section in [
            "[identity]",
            "[community]",
            "[transport]",
            "[discovery]",
            "[[llm.backends]]",
            "[emergency]",
            "[observability]",
        ] {
            fs::write(&file, format!("{section}\nnot-a-field = 1")).unwrap();
            let refused = Config::load(Some(&file), &paths).unwrap_err().message().to_owned();
            let (_, allowed) = refused.split_once("expected").unwrap();
            for field in allowed.split('`').skip(1).step_by(2) {
                assert!(uncommented.contains(&format!("\n{field} = ")), "{section} {field}");
            }
        }
    }

    fn is_toml(text: &str) -> bool {
        text.contains(" = ") || text.starts_with("[[")
    }

    #[test]
    fn the_configuration_that_init_writes_is_read_back_with_any_name() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        for name in ["garage", "Ada's \"hearth\" # 1", "Küche \\ Keller"] {
            let file = home.path().join("config.toml");
            fs::write(&file, config_text(name, &id)).unwrap();
            let config = Config::load(Some(&file), &paths).unwrap();
            assert_eq!(config.identity.display_name, name);
            assert_eq!(config.community.community_id.as_deref(), Some(id.as_str()));
        }
    }
}
