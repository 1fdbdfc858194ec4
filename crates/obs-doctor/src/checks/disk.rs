//! `disk_space`: free space for the data folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::check::Context;
use crate::device_key;
use crate::machine::{Files, Volume, is_filtered};
use crate::report::{CheckResult, SkipReason};
use crate::text::{shell_path, tilde};

/// 1 GB, as disk vendors count it.
const NEEDED_BYTES: u64 = 1_000_000_000;

/// Checks that the disk of the data folder has 1 GB left. Without a data folder, the disk that it would be made on is checked.
pub(super) fn space(cx: &Context) -> CheckResult {
    let data_dir = &cx.config.data_dir;
    let place = match nearest(cx.machine.files.as_ref(), data_dir) {
        Ok(place) => place,
        Err(problem) => return problem,
    };
    match cx.machine.volumes.of(&place) {
        Ok(volume) => judge(&place, &volume).evidence("path", tilde(&place)),
        Err(err) if is_filtered(&err) => {
            let detail = format!("the free space on the disk of {} cannot be read: {err}", tilde(&place));
            CheckResult::skip(SkipReason::Unsupported, detail)
        }
        Err(err) => {
            CheckResult::fail(format!("the state of the disk of {} cannot be read: {err}", tilde(&place)))
                .fix("check the mount, and look for disk errors (`dmesg`)")
        }
    }
}

/// Returns the data folder, or the nearest existing folder above it.
fn nearest(files: &dyn Files, data_dir: &Path) -> Result<PathBuf, CheckResult> {
    for place in data_dir.ancestors().filter(|place| !place.as_os_str().is_empty()) {
        match files.metadata(place) {
            Ok(meta) if meta.is_dir() => return Ok(place.to_owned()),
            Ok(_) => {
                return Err(CheckResult::fail(format!("{} is not a folder", tilde(place)))
                    .fix(format!("move {} away, then run `hearthnet init`", shell_path(place))));
            }
            Err(err) if err.kind() == ErrorKind::NotFound && is_link(files, place) => {
                return Err(CheckResult::fail(format!("{} is a symbolic link to nothing", tilde(place)))
                    .fix("mount the disk that it points to, or point it to a folder"));
            }
            Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(err) => {
                return Err(CheckResult::fail(format!("{} cannot be reached: {err}", tilde(place)))
                    .fix("give the node's user access to the data folder"));
            }
        }
    }
    // A relative path without any existing part would be created in the working folder.
    Ok(PathBuf::from("."))
}

/// Returns whether `place` is a symbolic link. A link to nothing leads to a disk that is not mounted, so the disk of the
/// folder above is the wrong one.
fn is_link(files: &dyn Files, place: &Path) -> bool {
    files.open_no_follow(place).is_err_and(|err| device_key::is_loop(&err))
}

fn judge(place: &Path, volume: &Volume) -> CheckResult {
    let free = gigabytes(volume.available_bytes);
    let result = if volume.read_only {
        CheckResult::fail(format!("the disk of {} is mounted read-only", tilde(place)))
            .fix("look for disk errors (`dmesg`), then mount it writable again")
    } else if volume.available_bytes < NEEDED_BYTES {
        CheckResult::fail(format!("{free} free, 1 GB is needed")).fix(format!(
            "free space on the disk of {}, or move the data folder to a larger one",
            shell_path(place)
        ))
    // Some file systems run out of inodes with free space left.
    } else if volume.available_inodes == Some(0) {
        CheckResult::fail(format!("{free} free, but no file can be created: the disk has no free inode"))
            .fix("delete small files (`df -i` shows the inodes of each disk)")
    } else {
        CheckResult::pass(format!("{free} free"))
    };
    let inodes = volume.available_inodes.map_or_else(|| "not counted".to_owned(), |n| n.to_string());
    result.evidence("available_bytes", volume.available_bytes).evidence("available_inodes", inodes)
}

/// Formats a size, rounded down, so that less than 1 GB is never shown as 1.0 GB.
fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes / NEEDED_BYTES, bytes % NEEDED_BYTES / (NEEDED_BYTES / 10))
}
