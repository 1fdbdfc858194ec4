//! `disk_space`: room for the data folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::check::Context;
use crate::device_key;
use crate::machine::{Files, Volume, is_filtered};
use crate::report::{CheckResult, SkipReason};
use crate::text::{shell, tilde};

/// 1 GB as disks are sold (spec §6.2).
const NEEDED_BYTES: u64 = 1_000_000_000;

/// The disk of the data folder, or of where it will be made, takes another GB.
pub(super) fn space(cx: &Context) -> CheckResult {
    let data_dir = &cx.config.data_dir;
    let place = match nearest(cx.system.files.as_ref(), data_dir) {
        Ok(place) => place,
        Err(problem) => return problem,
    };
    match cx.system.volumes.of(&place) {
        Ok(volume) => judge(&place, &volume).evidence("path", tilde(&place)),
        Err(err) if is_filtered(&err) => {
            let detail = format!("the room on the disk of {} may not be asked for: {err}", tilde(&place));
            CheckResult::skip(SkipReason::Unsupported, detail)
        }
        Err(err) => CheckResult::fail(format!("the disk of {} does not answer: {err}", tilde(&place)))
            .fix("look at its mount and at disk errors (`dmesg`)"),
    }
}

/// The data folder, or the nearest folder above it that is there.
fn nearest(files: &dyn Files, data_dir: &Path) -> Result<PathBuf, CheckResult> {
    for place in data_dir.ancestors().filter(|place| !place.as_os_str().is_empty()) {
        match files.metadata(place) {
            Ok(meta) if meta.is_dir() => return Ok(place.to_owned()),
            Ok(_) => {
                return Err(CheckResult::fail(format!("{} is not a folder", tilde(place)))
                    .fix(format!("move {} away, then run `hearthnet init`", shell(place))));
            }
            Err(err) if err.kind() == ErrorKind::NotFound && is_link(files, place) => {
                return Err(CheckResult::fail(format!("{} is a symbolic link to nothing", tilde(place)))
                    .fix("mount the disk that it leads to, or make it lead to a folder"));
            }
            Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(err) => {
                return Err(CheckResult::fail(format!("{} cannot be reached: {err}", tilde(place)))
                    .fix("give the node's user access to the data folder"));
            }
        }
    }
    // A relative path of which nothing exists is made here.
    Ok(PathBuf::from("."))
}

/// A disk that is not mounted is told by a link that leads to it, and the disk under the link is not the one.
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
            shell(place)
        ))
    } else if volume.available_inodes == Some(0) {
        CheckResult::fail(format!("{free} free, but no file can be made: the disk is out of inodes"))
            .fix("delete small files (`df -i` shows the inodes of each disk)")
    } else {
        CheckResult::pass(format!("{free} free"))
    };
    let inodes = volume.available_inodes.map_or_else(|| "not counted".to_owned(), |n| n.to_string());
    result.evidence("available_bytes", volume.available_bytes).evidence("available_inodes", inodes)
}

/// Rounded down: what is short of 1 GB must not read as 1.0 GB.
fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes / NEEDED_BYTES, bytes % NEEDED_BYTES / (NEEDED_BYTES / 10))
}
