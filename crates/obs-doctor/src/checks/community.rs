//! `community_present`: the manifest of the node's community.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde_json::Value;

use crate::check::Context;
use crate::config::Config;
use crate::machine::Files;
use crate::report::CheckResult;
use crate::text::{shell_path, tilde};

// Remedies, one for each kind of fault.
const FIX_INIT: &str = "run `hearthnet init`";
const FIX_MISSING: &str =
    "run `hearthnet init`; if you have joined a community, restore its manifest from another member first";
const FIX_FOREIGN: &str = "restore the manifest from a backup, or set `[community] community_id` to this node's \
                           community";
const FIX_RESTORE: &str = "restore the manifest from a backup or from another member of the community";
/// Manifests have some hundred bytes. The limit bounds the memory of the check.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Checks that each community of this node has a manifest, and that it is the community's own.
pub(super) fn present(cx: &Context) -> CheckResult {
    let files = cx.machine.files.as_ref();
    let communities = match of_this_node(files, &cx.config) {
        Ok(communities) => communities,
        Err(problem) => return problem,
    };
    for community in &communities {
        if let Err(problem) = read_manifest(files, community) {
            return problem.evidence("path", tilde(&community.folder.join("manifest.json")));
        }
    }
    match communities.as_slice() {
        [one] => CheckResult::pass(one.id.clone()).evidence("path", tilde(&one.folder)),
        all => CheckResult::pass(format!("{} communities", all.len()))
            .evidence("communities", all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(" ")),
    }
}

/// ID and folder of a community.
pub(super) struct Community {
    pub(super) id: String,
    pub(super) folder: PathBuf,
}

/// Returns the configured community, or else each community that has a folder. The list is never empty.
pub(super) fn of_this_node(files: &dyn Files, config: &Config) -> Result<Vec<Community>, CheckResult> {
    let folder = &config.communities_dir;
    if let Some(id) = &config.community_id {
        // The ID becomes a part of a path.
        if !is_safe(id) {
            return Err(CheckResult::fail(format!("community_id {id:?} cannot be the ID of a community"))
                .fix("set `[community] community_id` to `ed25519:` and 43 letters, as `hearthnet init` prints it"));
        }
        return Ok(vec![Community { id: id.clone(), folder: folder.join(id) }]);
    }
    let names = files.list(folder).map_err(|err| match err.kind() {
        ErrorKind::NotFound => {
            CheckResult::fail(format!("no communities folder at {}", tilde(folder))).fix(FIX_INIT)
        }
        _ => CheckResult::fail(format!("{} cannot be read: {err}", tilde(folder)))
            .fix(format!("make {} a folder that the node's user can read", shell_path(folder))),
    })?;
    let mut communities: Vec<Community> =
        names.into_iter().filter_map(|name| community(folder, name)).collect();
    // A folder whose metadata cannot be read may be a community.
    communities.retain(|one| files.metadata(&one.folder).map_or(true, |meta| meta.is_dir()));
    communities.sort_by(|a, b| a.id.cmp(&b.id));
    match communities.is_empty() {
        true => Err(CheckResult::fail(format!("no community in {}", tilde(folder))).fix(FIX_INIT)),
        false => Ok(communities),
    }
}

/// Returns the community of a folder name. The colon tells it from other folders, such as `lost+found`.
fn community(parent: &Path, name: OsString) -> Option<Community> {
    let id = name.into_string().ok().filter(|id| is_safe(id) && id.contains(':'))?;
    let folder = parent.join(&id);
    Some(Community { id, folder })
}

/// Returns whether `id` can be used as a folder name. The ID comes from outside, so it may hold separators or `..`.
fn is_safe(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b":_-.=+".contains(&b);
    (1..=128).contains(&id.len()) && !id.starts_with('.') && id.bytes().all(allowed)
}

fn read_manifest(files: &dyn Files, community: &Community) -> Result<(), CheckResult> {
    let path = community.folder.join("manifest.json");
    let text = read(files, &path)?;
    let broken = |why: &str| CheckResult::fail(format!("{} is {why}", tilde(&path))).fix(FIX_RESTORE);
    let manifest: Value = serde_json::from_str(&text).map_err(|err| broken(&format!("not JSON: {err}")))?;
    let id = manifest.get("community_id").and_then(Value::as_str);
    match id {
        Some(id) if id == community.id => Ok(()),
        Some(other) => Err(CheckResult::fail(format!("the manifest belongs to another community: {other}"))
            .fix(FIX_FOREIGN)
            .evidence("expected", &community.id)),
        None => Err(broken("not a community manifest: it has no `community_id`")),
    }
}

fn read(files: &dyn Files, path: &Path) -> Result<String, CheckResult> {
    let shown = tilde(path);
    let mut bytes = Vec::new();
    // `open` does not block on a pipe of that name.
    let read = files.open(path).and_then(|file| match file.metadata()?.is_file() {
        true => file.take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut bytes),
        false => Err(Errno::NXIO.into()),
    });
    match read {
        Ok(n) if n as u64 > MAX_MANIFEST_BYTES => {
            Err(CheckResult::fail(format!("{shown} is larger than 1 MiB, the maximum size of a manifest"))
                .fix(FIX_RESTORE))
        }
        Ok(_) => String::from_utf8(bytes)
            .map_err(|_| CheckResult::fail(format!("{shown} is not text")).fix(FIX_RESTORE)),
        Err(err) if Errno::from_io_error(&err) == Some(Errno::NXIO) => {
            Err(CheckResult::fail(format!("{shown} is not a file")).fix(FIX_RESTORE))
        }
        Err(err) if err.kind() == ErrorKind::NotFound => {
            Err(CheckResult::fail(format!("no community manifest at {shown}")).fix(FIX_MISSING))
        }
        Err(err) if err.kind() == ErrorKind::PermissionDenied => {
            Err(CheckResult::fail(format!("{shown} is not readable for this user"))
                .fix(format!("make {} readable for the node's user", shell_path(path))))
        }
        Err(err) => Err(CheckResult::fail(format!("{shown} cannot be read: {err}"))
            .fix("look for disk errors (`dmesg`), and restore the manifest from a backup if it is damaged")),
    }
}

#[cfg(test)]
mod tests {
    use super::is_safe;

    #[test]
    fn an_id_that_is_a_path_is_refused() {
        assert!(is_safe("ed25519:3q2-7w_ABC"));
        for bad in
            ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "ed25519:\u{202e}", ".hidden", &"x".repeat(129)]
        {
            assert!(!is_safe(bad), "{bad:?}");
        }
    }
}
