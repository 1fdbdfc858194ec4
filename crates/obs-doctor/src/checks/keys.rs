//! `keys_present` and `keys_loadable`: the device key.

use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use rustix::io::Errno;

use crate::check::Context;
use crate::device_key::{self, KeyFile};
use crate::machine::Files;
use crate::report::CheckResult;
use crate::text::{shell_path, tilde};

// `hearthnet init` makes a new identity where there is no key, so a backup is named first.
const FIX_MISSING: &str = "if this node had a key, restore it from a backup; otherwise run `hearthnet init`";
// `init` refuses to make a key beside the public key of another one.
const FIX_LOST: &str = "restore the key from a backup, or move it and device.pub away and run `hearthnet init` for a new identity";

/// Checks that the device key is a regular file of the node's user, and that no other user can read it.
pub(super) fn present(cx: &Context) -> CheckResult {
    let (files, keys_dir) = (cx.machine.files.as_ref(), &cx.config.keys_dir);
    let path = device_key::seed_path(keys_dir);
    let key = match device_key::open(files, &path) {
        Ok(key) => key,
        Err(err) => return not_opened(files, &path, &err),
    };
    let result = verdict(&path, &key, device_key::expected_owner(files, keys_dir));
    let result = result.evidence("mode", format!("{:04o}", key.mode())).evidence("uid", key.meta.uid());
    match &key.target {
        Some(target) => result.evidence("symlink_to", tilde(target)),
        None => result,
    }
}

fn verdict(path: &Path, key: &KeyFile, owner: u32) -> CheckResult {
    let (shown, word) = (tilde(path), shell_path(key.target.as_deref().unwrap_or(path)));
    let mode = key.mode();
    if let Some(other) = not_a_file(path, key) {
        return CheckResult::fail(other).fix(FIX_LOST);
    }
    if key.meta.uid() != owner {
        let detail = format!("{shown} belongs to uid {}, not to uid {owner}", key.meta.uid());
        return CheckResult::fail(detail).fix(format!("chown {owner} {word}"));
    }
    // Any right of group or others, including write: a key that others can replace is not safe either.
    if mode & 0o077 != 0 {
        let detail = format!("{shown} has mode {mode:04o}, so other users can use the key");
        return CheckResult::fail(detail).fix(format!("chmod 600 {word}"));
    }
    if mode & 0o400 == 0 {
        return no_owner_bit(&shown, mode, &word);
    }
    CheckResult::pass(format!("{shown}, {mode:04o}"))
}

fn not_opened(files: &dyn Files, path: &Path, err: &io::Error) -> CheckResult {
    let shown = tilde(path);
    let is_link = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    match err.kind() {
        ErrorKind::NotFound if is_link => CheckResult::fail(format!("{shown} is a symbolic link to nothing"))
            .fix("mount the disk that it points to, or point it to the key"),
        ErrorKind::NotFound => missing(files, path),
        ErrorKind::NotADirectory => CheckResult::fail(format!("a part of {shown} is not a folder"))
            .fix("set `[identity] keys_dir` to a folder, or move the file away and run `hearthnet init`"),
        ErrorKind::PermissionDenied => out_of_reach(files, path),
        // ENXIO: a socket, or a device without a driver.
        _ if Errno::from_io_error(err) == Some(Errno::NXIO) => {
            CheckResult::fail(format!("{shown} is not a file")).fix(FIX_LOST)
        }
        _ if device_key::is_loop(err) || is_link => {
            CheckResult::fail(format!("{shown} is a symbolic link without a target: {err}"))
                .fix("point it to the key, or replace it by the key from a backup")
        }
        _ => CheckResult::fail(format!("{shown} cannot be opened: {err}"))
            .fix("look for disk errors (`dmesg`), and restore the key from a backup if it is damaged"),
    }
}

/// Returns the result for a missing key. A public key beside it shows that the node had one.
fn missing(files: &dyn Files, path: &Path) -> CheckResult {
    let (shown, public) = (tilde(path), path.with_file_name("device.pub"));
    match files.metadata(&public) {
        Ok(_) => CheckResult::fail(format!("no device key at {shown}, but its public key")).fix(format!(
            "restore the key from a backup, or move {} away and run `hearthnet init` for a new identity",
            shell_path(&public)
        )),
        Err(_) => CheckResult::fail(format!("no device key at {shown}")).fix(FIX_MISSING),
    }
}

fn out_of_reach(files: &dyn Files, path: &Path) -> CheckResult {
    let shown = tilde(path);
    match files.metadata(path) {
        Ok(meta) if meta.uid() == me() => no_owner_bit(&shown, meta.mode() & 0o7777, &shell_path(path)),
        _ => CheckResult::fail(format!("{shown} is not readable for uid {}", me()))
            .fix("run the doctor as the node's user, or make that user the owner of the key"),
    }
}

fn no_owner_bit(shown: &str, mode: u32, word: &str) -> CheckResult {
    let detail = format!("{shown} has mode {mode:04o}, so its owner cannot read it");
    CheckResult::fail(detail).fix(format!("chmod 600 {word}"))
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn not_a_file(path: &Path, key: &KeyFile) -> Option<String> {
    let kind = key.meta.file_type();
    (!kind.is_file()).then(|| format!("{} is a {}, not a file", tilde(path), kind_name(kind)))
}

fn kind_name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "folder"
    } else if kind.is_fifo() {
        "pipe"
    } else {
        "device"
    }
}

/// Checks that the device key is a working Ed25519 seed, and that the public key in the folder belongs to it.
pub(super) fn loadable(cx: &Context) -> CheckResult {
    load(cx.machine.files.as_ref(), &cx.config.keys_dir).unwrap_or_else(|problem| problem)
}

fn load(files: &dyn Files, keys_dir: &Path) -> Result<CheckResult, CheckResult> {
    let seed_path = device_key::seed_path(keys_dir);
    let seed = device_key::open(files, &seed_path).map_err(|err| not_opened(files, &seed_path, &err))?;
    let key = load_seed(&seed_path, &seed)?;
    let public_path = device_key::public_path(keys_dir);
    let public = device_key::open(files, &public_path).map_err(|err| no_public_key(&public_path, &err))?;
    let public = load_public(&public_path, &public)?;
    let id = device_key::node_id(&key);
    if public != key {
        let detail = format!("{} belongs to another key", tilde(&public_path));
        let result = CheckResult::fail(detail).evidence("device.ed25519", id);
        return Err(result
            .evidence("device.pub", device_key::node_id(&public))
            .fix(fix_public(&public_path)));
    }
    Ok(CheckResult::pass(format!("Ed25519, node {id}")).evidence("node_id", id))
}

fn load_seed(path: &Path, key: &KeyFile) -> Result<VerifyingKey, CheckResult> {
    if let Some(other) = not_a_file(path, key) {
        return Err(CheckResult::fail(other).fix(FIX_LOST));
    }
    let seed = match device_key::read_exactly(&key.file) {
        Ok(Some(seed)) => seed,
        Ok(None) => {
            let size = key.meta.len();
            let detail = format!("{size} bytes; an Ed25519 seed has 32");
            return Err(CheckResult::fail(detail).fix(FIX_LOST).evidence("path", tilde(path)));
        }
        Err(err) => {
            return Err(CheckResult::fail(format!("{} cannot be read: {err}", tilde(path))).fix(FIX_LOST));
        }
    };
    // Some file systems leave zero bytes in a file that was not written back before a power failure.
    if *seed == [0; device_key::SEED_BYTES] {
        return Err(CheckResult::fail(format!("{} contains only zero bytes", tilde(path))).fix(FIX_LOST));
    }
    device_key::proven_key(&seed)
        .ok_or_else(|| CheckResult::fail("the key's signature does not verify").fix(FIX_LOST))
}

fn load_public(path: &Path, public: &KeyFile) -> Result<VerifyingKey, CheckResult> {
    let broken = |detail: String| CheckResult::fail(detail).fix(fix_public(path));
    let shown = tilde(path);
    if let Some(other) = not_a_file(path, public) {
        return Err(broken(other));
    }
    match device_key::read_exactly(&public.file) {
        Ok(Some(bytes)) => VerifyingKey::from_bytes(&bytes)
            .map_err(|_| broken(format!("{shown} is not an Ed25519 public key"))),
        Ok(None) => Err(broken(format!("{shown} has {} bytes; a public key has 32", public.meta.len()))),
        Err(err) => Err(broken(format!("{shown} cannot be read: {err}"))),
    }
}

fn no_public_key(path: &Path, err: &io::Error) -> CheckResult {
    let shown = tilde(path);
    match err.kind() {
        ErrorKind::NotFound => CheckResult::fail(format!("no public key at {shown}"))
            .fix("run `hearthnet init`, which derives it from the device key again"),
        _ => CheckResult::fail(format!("{shown} cannot be opened: {err}")).fix(fix_public(path)),
    }
}

fn fix_public(path: &Path) -> String {
    format!(
        "move {} away and run `hearthnet init`, which derives it from the device key again",
        shell_path(path)
    )
}
