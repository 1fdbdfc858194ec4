//! Files that a node needs to start.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::create_once::{self, Access, Creation};
use super::{community, event_log, keys};
use crate::config::Config;
use crate::config::paths::Paths;
use crate::config::template::config_text;
use crate::failure::Failure;
use crate::wire::signing::identity::Identity;

/// Complete set of a node's files.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) identity: Identity,
    pub(crate) community_id: String,
    /// Verified manifest of the community.
    pub(crate) community: Value,
    pub(crate) event_log: PathBuf,
    pub(crate) blobs: PathBuf,
}

/// Creates the missing ones among keys, community, event log, blobs folder and `config_file`, and calls `tell` for
/// each. A new configuration has the port of `config`.
///
/// Each step is atomic and checks for itself. A run after a crash completes what is missing.
pub(crate) fn ensure(
    config: &Config,
    config_file: Option<&Path>,
    paths: &Paths,
    name: &str,
    tell: &mut dyn FnMut(&str, &Path, Creation),
) -> Result<Home, Failure> {
    let identity = ensure_keys(&config.identity.keys_dir, tell)?;
    let community_id = config.community.community_id.clone().unwrap_or_else(|| identity.node_id().to_owned());
    let dir = config.community_dir(&community_id);
    let community = ensure_community(&identity, &community_id, &dir.join("manifest.json"), name, tell)?;
    let event_log = event_log::file(&dir);
    tell("event log", &event_log, event_log::create(&event_log)?);
    let blobs = paths.data(&config.identity.keys_dir).join("blobs");
    tell("blobs folder", &blobs, create_once::folder(&blobs)?);
    if let Some(file) = config_file {
        let text = config_text(name, &community_id, config.transport.port);
        tell("configuration", file, create_once::file(file, text.as_bytes(), Access::Private)?);
    }
    Ok(Home { identity, community_id, community, event_log, blobs })
}

fn ensure_keys(keys_dir: &Path, tell: &mut dyn FnMut(&str, &Path, Creation)) -> Result<Identity, Failure> {
    let (seed_file, public_file) = (keys::seed_file(keys_dir), keys::public_file(keys_dir));
    // A new seed would silently give the node another identity.
    if public_file.exists() && !seed_file.exists() {
        return Err(Failure::error(format!(
            "{} is missing, but device.pub exists in the same folder: restore the key from a backup, \
             or move device.pub away for a new identity",
            seed_file.display()
        )));
    }
    tell("keys folder", keys_dir, create_once::folder(keys_dir)?);
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Failure::error(format!("cannot get random bytes for a key: {error}")))?;
    // The random bytes are dropped if the file exists.
    tell("device key", &seed_file, create_once::file(&seed_file, &seed, Access::Private)?);
    // The seed is read back: if two processes start at once, one loses, and both must go on with the same key.
    let identity = keys::load(keys_dir)?;
    tell("public key", &public_file, create_once::file(&public_file, &identity.public(), Access::Public)?);
    Ok(identity)
}

fn ensure_community(
    identity: &Identity,
    id: &str,
    file: &Path,
    name: &str,
    tell: &mut dyn FnMut(&str, &Path, Creation),
) -> Result<Value, Failure> {
    if id == identity.node_id() {
        let manifest = format!("{:#}\n", community::found(identity, name));
        tell("community manifest", file, create_once::file(file, manifest.as_bytes(), Access::Public)?);
    } else if !file.exists() {
        return Err(Failure::error(format!(
            "{} is missing and cannot be created here, because another node founded the community {id}: \
             get the manifest from a member, or remove community_id from the configuration",
            file.display()
        )));
    } else {
        tell("community manifest", file, Creation::Kept);
    }
    community::load(file, id, identity)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::failure::SIGNATURE;

    fn ensure_in(home: &Path) -> Result<Vec<(String, Creation)>, Failure> {
        let paths = Paths::under(home);
        let config = Config::load(None, &paths)?;
        let mut told = Vec::new();
        let file = paths.config_file()?;
        ensure(&config, Some(&file), &paths, "garage", &mut |what, _, creation| {
            told.push((what.to_owned(), creation))
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
    fn a_second_init_changes_no_byte() {
        let home = tempfile::tempdir().unwrap();
        assert!(ensure_in(home.path()).unwrap().iter().all(|(_, creation)| *creation == Creation::Created));
        let before = snapshot(home.path());
        assert_eq!(before.len(), 5, "seed, public key, manifest, event log, configuration");
        assert!(ensure_in(home.path()).unwrap().iter().all(|(_, creation)| *creation == Creation::Kept));
        assert_eq!(snapshot(home.path()), before);
    }

    #[test]
    fn a_missing_file_is_created_again_and_the_others_are_kept() {
        let home = tempfile::tempdir().unwrap();
        ensure_in(home.path()).unwrap();
        let before = snapshot(home.path());
        for file in before.keys().filter(|file| !file.ends_with("device.ed25519")) {
            fs::remove_file(file).unwrap();
            let told = ensure_in(home.path()).unwrap();
            assert_eq!(
                told.iter().filter(|(_, creation)| *creation == Creation::Created).count(),
                1,
                "{file:?}"
            );
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
    fn an_edited_manifest_is_a_signature_failure() {
        let home = tempfile::tempdir().unwrap();
        ensure_in(home.path()).unwrap();
        let found = snapshot(home.path());
        let manifest = found.keys().find(|file| file.ends_with("manifest.json")).unwrap();
        let edited = fs::read_to_string(manifest).unwrap().replace("garage", "attic");
        fs::write(manifest, edited).unwrap();
        assert_eq!(ensure_in(home.path()).unwrap_err().code(), SIGNATURE);
    }
}
