//! Files that `init` and `run` create.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::case::{Outcome, contains, ensure, equal};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::node::Node;

/// Returns content, time of change and mode of every file in a folder.
pub(crate) type Snapshot = BTreeMap<PathBuf, (Vec<u8>, SystemTime, u32)>;

pub(crate) fn snapshot(dir: &Path) -> Outcome<Snapshot> {
    let mut files = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                open.push(entry.path());
            } else {
                files.insert(
                    entry.path(),
                    (std::fs::read(entry.path())?, metadata.modified()?, metadata.mode()),
                );
            }
        }
    }
    Ok(files)
}

pub(super) fn init_makes(lab: &Lab) -> Outcome {
    let home = Home::empty(lab)?;
    let ran = home.hearthnet(&["init", "--non-interactive"])?.exits(0)?;
    let said = ran.output();

    let mode = |path: &Path| -> Outcome<u32> { Ok(std::fs::metadata(path)?.mode() & 0o777) };
    equal("the size of the device key", std::fs::read(home.key_file())?.len(), 32)?;
    equal("the mode of the device key", mode(&home.key_file())?, 0o600)?;
    let public = home.key_file().with_extension("pub");
    equal("the mode of the public key", mode(&public)?, 0o644)?;
    let seed: [u8; 32] =
        std::fs::read(home.key_file())?.try_into().map_err(|_| crate::case::failed("32 bytes", "others"))?;
    let key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    equal("device.pub", std::fs::read(public)?, key.to_bytes().to_vec())?;

    let mut communities = std::fs::read_dir(home.data_dir().join("communities"))?;
    let community = communities.next().ok_or_else(|| crate::case::failed("a community", "none"))??.path();
    ensure(communities.next().is_none(), "one community", "more")?;
    let manifest = std::fs::read_to_string(community.join("manifest.json"))?;
    ensure(serde_json::from_str::<serde_json::Value>(&manifest)?.is_object(), "a manifest", &manifest)?;
    ensure(
        std::fs::read(community.join("events.sqlite"))?.starts_with(b"SQLite format 3"),
        "an event log",
        "none",
    )?;
    ensure(
        std::fs::read_to_string(home.config_file())?.parse::<toml::Table>().is_ok(),
        "a configuration",
        "none",
    )?;

    for path in [home.key_file(), home.config_file(), community] {
        contains("what init says", &said, &path.display().to_string())?;
    }
    Ok(())
}

pub(super) fn init_touches_nothing(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let before = snapshot(home.path())?;
    home.hearthnet(&["init", "--non-interactive"])?.exits(0)?;
    home.hearthnet(&["init", "--non-interactive", "--name", "another"])?.exits(0)?;
    let after = snapshot(home.path())?;
    let changed: Vec<_> =
        after.iter().filter(|(path, file)| before.get(*path) != Some(file)).map(|(path, _)| path).collect();
    equal("files that changed", changed, Vec::<&PathBuf>::new())?;
    equal("files", after.len(), before.len())
}

pub(super) fn run_makes(lab: &Lab) -> Outcome {
    let node = Node::start(Home::empty(lab)?)?;
    node.client().get("/health")?.is(200)?;
    let home = node.stop()?;
    equal("the size of the device key", std::fs::read(home.key_file())?.len(), 32)?;
    ensure(home.config_file().is_file(), "a configuration", "none")?;
    ensure(!home.log_lines()?.is_empty(), "a log", "none")
}
