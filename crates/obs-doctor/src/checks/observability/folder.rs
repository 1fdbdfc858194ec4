//! `log_folder`: the folder of the log exists, can be written, is closed to others, and has room.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use super::facts::log_dir;
use crate::check::Context;
use crate::device_key::is_loop;
use crate::machine::{Volume, is_filtered, may_write};
use crate::report::CheckResult;
use crate::text::{shell_path, tilde};

/// Space that a log needs: a hand-over file, and a busy day.
const NEEDED_BYTES: u64 = 100_000_000;
/// Maximum number of files whose mode is read. Fourteen days need far fewer.
const MAX_FILES: usize = 1_000;

/// Checks the log folder without writing to it.
pub(in crate::checks) fn folder(cx: &Context) -> CheckResult {
    let result = log_dir(cx).map(|dir| {
        let result = match metadata(cx, dir) {
            Ok(Some(meta)) => inspect(cx, dir, &meta),
            Ok(None) => inspect_missing(cx, dir),
            Err(problem) => Err(problem),
        };
        result.unwrap_or_else(|problem| problem).evidence("path", tilde(dir))
    });
    result.unwrap_or_else(|skip| skip)
}

/// Returns the metadata of the folder; `None` if it does not exist.
fn metadata(cx: &Context, dir: &Path) -> Result<Option<Metadata>, CheckResult> {
    match cx.machine.files.metadata(dir) {
        Ok(meta) if meta.is_dir() => Ok(Some(meta)),
        Ok(_) => Err(not_a_folder(dir)),
        Err(err) if err.kind() == ErrorKind::NotFound && is_link(cx, dir) => {
            Err(CheckResult::fail(format!("{} is a symbolic link to nothing", tilde(dir)))
                .fix("mount the disk that it points to, or point it to a folder"))
        }
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(err) => {
            let fix = match err.kind() {
                ErrorKind::PermissionDenied => {
                    "run the doctor as the node's user, and give that user access to the folders above"
                }
                _ => "check the mount, and look for disk errors (`dmesg`)",
            };
            Err(CheckResult::fail(format!("{} cannot be reached: {err}", tilde(dir))).fix(fix))
        }
    }
}

fn is_link(cx: &Context, path: &Path) -> bool {
    cx.machine.files.open_no_follow(path).is_err_and(|err| is_loop(&err))
}

fn not_a_folder(path: &Path) -> CheckResult {
    let path_word = shell_path(path);
    CheckResult::fail(format!("{} is not a folder", tilde(path)))
        .fix(format!("move it away with `mv {path_word} {path_word}.old`; the node makes the folder"))
}

/// Judges a folder that does not exist: the node makes it at its first start, if it may.
fn inspect_missing(cx: &Context, dir: &Path) -> Result<CheckResult, CheckResult> {
    if cx.bus.node_id().is_some() {
        return Err(CheckResult::fail(format!("{} is missing, although the node is running", tilde(dir)))
            .fix("restart the node, which makes the folder"));
    }
    let above = dir.ancestors().skip(1).filter(|place| !place.as_os_str().is_empty());
    for place in above {
        let Some(meta) = metadata(cx, place)? else { continue };
        require_writable_disk(place, volume(cx, place)?.as_ref())?;
        if may_write(place) == Some(false) {
            let word = shell_path(dir);
            return Err(CheckResult::fail(format!(
                "{} does not exist, and {} (mode {:04o}, uid {}) is read-only for uid {}",
                tilde(dir),
                tilde(place),
                meta.mode() & 0o7777,
                meta.uid(),
                uid()
            ))
            .fix(format!("make it as root: `install -d -m 700 -o {} {word}`", uid())));
        }
        break;
    }
    Ok(CheckResult::pass(format!("{} does not exist; the first start makes it", tilde(dir))))
}

/// Judges a folder that exists.
fn inspect(cx: &Context, dir: &Path, meta: &Metadata) -> Result<CheckResult, CheckResult> {
    let mode = meta.mode() & 0o7777;
    let volume = volume(cx, dir)?;
    require_writable_disk(dir, volume.as_ref())?;
    require_write(dir, meta)?;
    require_private(cx, dir, mode)?;
    let Some(volume) = volume else {
        return Ok(CheckResult::pass(format!("{}, {mode:04o}", tilde(dir))));
    };
    let is_own_disk =
        !cx.machine.files.metadata(&cx.config.data_dir).is_ok_and(|data| data.dev() == meta.dev());
    // `disk_space` judges the disk of the data folder. One full disk is one failure.
    if is_own_disk {
        require_room(dir, &volume)?;
    }
    Ok(CheckResult::pass(format!("{}, {mode:04o}, {} free", tilde(dir), megabytes(volume.available_bytes)))
        .evidence("disk", if is_own_disk { "its own" } else { "that of the data folder" })
        .evidence("available_bytes", volume.available_bytes))
}

/// Returns the state of the disk; `None` where a seccomp profile hides it.
fn volume(cx: &Context, place: &Path) -> Result<Option<Volume>, CheckResult> {
    match cx.machine.volumes.of(place) {
        Ok(volume) => Ok(Some(volume)),
        Err(err) if is_filtered(&err) => Ok(None),
        Err(err) => {
            Err(CheckResult::fail(format!("the state of the disk of {} cannot be read: {err}", tilde(place)))
                .fix("check the mount, and look for disk errors (`dmesg`)"))
        }
    }
}

fn require_writable_disk(place: &Path, volume: Option<&Volume>) -> Result<(), CheckResult> {
    if volume.is_none_or(|volume| !volume.read_only) {
        return Ok(());
    }
    Err(CheckResult::fail(format!("the disk of {} is mounted read-only", tilde(place)))
        .fix("look for disk errors (`dmesg`), then mount it writable again"))
}

fn require_write(dir: &Path, meta: &Metadata) -> Result<(), CheckResult> {
    let (owner, mode) = (meta.uid(), meta.mode() & 0o7777);
    let is_own = owner == uid();
    // The folder is entered as well as written. The kernel asks root for neither bit.
    let lacks_a_bit = is_own && !geteuid().is_root() && mode & 0o700 != 0o700;
    if !lacks_a_bit && may_write(dir) != Some(false) {
        return Ok(());
    }
    let shown = tilde(dir);
    let word = shell_path(dir);
    Err(if is_own {
        CheckResult::fail(format!("{shown} has mode {mode:04o}, so its owner cannot write to it"))
            .fix(format!("chmod u+rwx {word}"))
    } else {
        CheckResult::fail(format!("{shown} (mode {mode:04o}, uid {owner}) is read-only for uid {}", uid()))
            .fix(format!("if the node runs as uid {0}, as root: `chown -R {0} {word}`", uid()))
    })
}

fn require_private(cx: &Context, dir: &Path, mode: u32) -> Result<(), CheckResult> {
    if mode & 0o022 != 0 {
        let others = if mode & 0o002 != 0 { "other users" } else { "its group" };
        return Err(CheckResult::fail(format!(
            "{} has mode {mode:04o}, so {others} can replace the log",
            tilde(dir)
        ))
        .fix(format!("chmod go-w {}", shell_path(dir))));
    }
    // A folder that others cannot enter protects its files, whatever their mode.
    if mode & 0o001 == 0 {
        return Ok(());
    }
    let names = cx.machine.files.list(dir).unwrap_or_default();
    for name in names.into_iter().filter(is_log_file).take(MAX_FILES) {
        let Ok(meta) = cx.machine.files.metadata(&dir.join(&name)) else { continue };
        if meta.mode() & 0o004 != 0 {
            let mode = meta.mode() & 0o7777;
            return Err(CheckResult::fail(format!(
                "{} has mode {mode:04o}, so other users can read the log",
                tilde(&dir.join(&name))
            ))
            .fix(format!("chmod o-rwx {}/*.log*", shell_path(dir))));
        }
    }
    Ok(())
}

fn is_log_file(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(|c: char| c.is_ascii_digit()) && name.contains(".log"))
}

fn require_room(dir: &Path, volume: &Volume) -> Result<(), CheckResult> {
    let free = megabytes(volume.available_bytes);
    if volume.available_bytes < NEEDED_BYTES {
        return Err(CheckResult::fail(format!("{free} free on the disk of the log, 100 MB is needed")).fix(
            format!(
                "free space on the disk of {} (`df -h {0}`), or set `[observability] log_dir` to a larger one",
                shell_path(dir)
            ),
        ));
    }
    if volume.available_inodes == Some(0) {
        return Err(CheckResult::fail(format!(
            "{free} free on the disk of the log, but no file can be created: it has no free inode"
        ))
        .fix("delete small files (`df -i` shows the inodes of each disk)"));
    }
    Ok(())
}

/// Formats a size, rounded down.
fn megabytes(bytes: u64) -> String {
    match bytes / 1_000_000 {
        mega @ 0..=999 => format!("{mega} MB"),
        mega => format!("{}.{} GB", mega / 1_000, mega % 1_000 / 100),
    }
}

fn uid() -> u32 {
    geteuid().as_raw()
}
