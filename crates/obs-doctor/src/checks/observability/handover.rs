//! `log_handover`: no lines of a killed process wait in a hand-over file.
//!
//! A process that logs keeps its last lines in `<folder>/.handover-<process>-<mark>-<number>`, and holds a lock on the file
//! while it lives. The next process that logs there takes over the files of dead ones. The check reads the
//! kernel's list of locks and takes none.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

use super::facts::{counted, log_dir};
use crate::check::Context;
use crate::machine::Files;
use crate::report::CheckResult;
use crate::text::shell_path;

/// Beginning of the name of a hand-over file.
pub(super) const PREFIX: &str = ".handover-";
/// Bit in the mark of a process that could not lock its file.
const UNLOCKED: u64 = 1 << 63;
/// Time after which a process has taken over the files of dead ones.
const SETTLED: Duration = Duration::from_secs(10);
/// Maximum number of files that are looked at. A process leaves its files alone from 16 on.
const MAX_FILES: usize = 64;
/// Maximum size of a file of the kernel that is read.
const MAX_PROC_BYTES: u64 = 1 << 20;

/// Checks that no hand-over file is left behind.
pub(in crate::checks) fn handover(cx: &Context) -> CheckResult {
    match log_dir(cx) {
        Ok(dir) => judge(cx, dir),
        Err(skip) => skip,
    }
}

fn judge(cx: &Context, dir: &Path) -> CheckResult {
    let Found { left, held } = find(cx.machine.files.as_ref(), dir);
    if left.is_empty() {
        return CheckResult::pass("none is left behind");
    }
    let files = counted(left.len() as u64, "hand-over file");
    let first = left[0].file_name().unwrap_or_default().to_string_lossy();
    // A process that has just started is still taking files over.
    let is_settled = held.iter().filter_map(|path| age(cx, path)).any(|age| age >= SETTLED);
    let result = if !is_settled {
        CheckResult::warn(format!("{files} of a killed process, with its last lines"))
            .fix("start the node, which writes the lines into the log: `hearthnet run`")
    } else {
        let of_another_user = owner_differs(cx.machine.files.as_ref(), dir, &left);
        let fix = if of_another_user {
            format!("as root: `chown --reference={0} {0}/{PREFIX}*`, then restart the node", shell_path(dir))
        } else {
            "restart the node, which writes the lines into the log".to_owned()
        };
        CheckResult::fail(format!("{files} of a killed process, which the running node has not taken over"))
            .fix(fix)
    };
    result.evidence("file", first)
}

/// Hand-over files of a folder.
pub(super) struct Found {
    /// Files whose process is dead.
    pub(super) left: Vec<PathBuf>,
    /// Files of processes that run.
    held: Vec<PathBuf>,
}

pub(super) fn find(files: &dyn Files, dir: &Path) -> Found {
    let mut names = files.list(dir).unwrap_or_default();
    names.sort();
    let named = names.iter().filter_map(|name| Some((name.to_str()?, Owner::of(name.to_str()?)?)));
    let (held, left): (Vec<_>, Vec<_>) =
        named.take(MAX_FILES).partition(|(name, owner)| is_held(files, &dir.join(name), *owner));
    let paths = |found: Vec<(&str, Owner)>| found.into_iter().map(|(name, _)| dir.join(name)).collect();
    Found { left: paths(left), held: paths(held) }
}

/// Returns the time since the file was made; `None` where the file system does not tell.
fn age(cx: &Context, path: &Path) -> Option<Duration> {
    let made = cx.machine.files.metadata(path).ok()?.created().ok()?;
    cx.machine.clock.now().duration_since(made).ok()
}

/// Process that a hand-over file is named after.
#[derive(Clone, Copy)]
struct Owner {
    pid: u32,
    /// Low 32 bits of the process's start time in ticks.
    start: u64,
    has_lock: bool,
}

impl Owner {
    fn of(name: &str) -> Option<Owner> {
        let mut numbers = name.strip_prefix(PREFIX)?.split('-').map(str::parse::<u64>);
        let (pid, mark, _count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        let pid = u32::try_from(pid).ok()?;
        Some(Owner { pid, start: mark & 0xffff_ffff, has_lock: mark & UNLOCKED == 0 })
    }

    fn exists(self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // Another error says that the process may not be signalled, so it exists.
        pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
    }

    /// Returns whether this very process runs; a later one with its number has another start time.
    fn is_running(self, files: &dyn Files) -> bool {
        let stat = read_text(files, Path::new(&format!("/proc/{}/stat", self.pid))).unwrap_or_default();
        // The command before the last parenthesis may contain spaces and parentheses itself.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next().unwrap_or("X");
        let start = fields.nth(18).and_then(|ticks| ticks.parse::<u64>().ok());
        !matches!(state, "Z" | "X") && start.is_some_and(|start| start & 0xffff_ffff == self.start)
    }
}

/// Returns whether a process may still write to the file.
fn is_held(files: &dyn Files, path: &Path, owner: Owner) -> bool {
    match files.metadata(path).ok().and_then(|meta| is_locked(files, meta.ino())) {
        Some(true) => true,
        // Some file systems show another inode to the list of locks.
        Some(false) if owner.has_lock => owner.is_running(files),
        // Without an answer of the file the process decides.
        _ => owner.exists(),
    }
}

/// Returns whether the kernel's list of locks names the inode; `None` where there is no such list. A look at the list takes
/// no lock and opens no hand-over file.
fn is_locked(files: &dyn Files, inode: u64) -> Option<bool> {
    let locks = read_text(files, Path::new("/proc/locks"))?;
    // `1: OFDLCK ADVISORY WRITE -1 fe:01:4242 0 EOF`. The device is left out: some file systems show two of them.
    let of_line = |line: &str| {
        let place = line.split_ascii_whitespace().find(|word| word.matches(':').count() == 2)?;
        place.rsplit(':').next()?.parse::<u64>().ok()
    };
    Some(locks.lines().any(|line| of_line(line) == Some(inode)))
}

fn read_text(files: &dyn Files, path: &Path) -> Option<String> {
    let mut text = String::new();
    files.open(path).ok()?.take(MAX_PROC_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

fn owner_differs(files: &dyn Files, dir: &Path, left: &[PathBuf]) -> bool {
    let Ok(folder) = files.metadata(dir) else { return false };
    left.iter().any(|path| files.metadata(path).is_ok_and(|file| file.uid() != folder.uid()))
}
