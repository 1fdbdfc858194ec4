//! Owner of a hand-over file, as the file's name tells it, and whether that process is alive.
//!
//! The lock on the file answers the same question where the file system has locks and no forked child keeps one. The name
//! answers it without locks, for processes of the same boot and the same PID namespace. It is in the name and not in the
//! content, so that a rename hands the file over in one step.

use std::sync::LazyLock;
use std::{fs, process};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Bit in [`Owner::mark`] of an owner that could not lock its file.
const UNLOCKED: u64 = 1 << 63;

/// Identity of a process, which differs from earlier and later processes with the same PID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pid: u32,
    /// [`UNLOCKED`]; 31 bits for the boot and the PID namespace; the low 32 bits of the start time in ticks. Names of
    /// earlier versions have the time in nanoseconds here, whose upper bits match no boot of ours.
    mark: u64,
}

/// Whether an owner is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    Dead,
    /// The owner ran in another PID namespace, before the last boot, or on another machine; or `/proc` is hidden.
    Unknown,
}

impl Owner {
    /// Returns this process. `nanos` tells names apart where `/proc` does not say when it started.
    pub(crate) fn current(nanos: i64) -> Owner {
        static MARK: LazyLock<Option<u64>> = LazyLock::new(current_mark);
        // A forked child has another start time, but it makes no file.
        let mark = MARK.unwrap_or(nanos.unsigned_abs() & !UNLOCKED);
        Owner { pid: process::id(), mark }
    }

    /// Returns the same owner, marked as unable to lock its file.
    pub(crate) fn without_lock(self) -> Owner {
        Owner { mark: self.mark | UNLOCKED, ..self }
    }

    pub(crate) fn has_lock(self) -> bool {
        self.mark & UNLOCKED == 0
    }

    pub(crate) fn is_this_process(self) -> bool {
        self.pid == process::id()
    }

    /// Returns the file's name without its prefix.
    pub(crate) fn to_name(self, count: u64) -> String {
        format!("{}-{}-{count}", self.pid, self.mark)
    }

    /// Reads `<process>-<mark>-<number>`.
    pub(crate) fn parse(name: &str) -> Option<Owner> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let numbers: Vec<_> = name.split('-').collect();
        match numbers[..] {
            [pid, mark, count] if [pid, mark, count].into_iter().all(is_number) => {
                Some(Owner { pid: pid.parse().ok()?, mark: mark.parse().ok()? })
            }
            _ => None,
        }
    }

    /// Whether the owner is alive. Only for a file that this process does not hold itself.
    pub(crate) fn life(self) -> Life {
        let Some(ours) = current_mark() else { return Life::Unknown };
        if (self.mark & !UNLOCKED) >> 32 != ours >> 32 || self.pid == 0 {
            return Life::Unknown;
        }
        // Our own PID, and we do not hold the file: it is of the program before us, which became this one by `exec`, or
        // one that we gave up.
        if self.is_this_process() || !exists(self.pid) {
            return Life::Dead;
        }
        match Stat::of(&self.pid.to_string()) {
            Some(stat) if stat.start != self.mark & 0xffff_ffff || stat.ended => Life::Dead,
            _ => Life::Alive,
        }
    }
}

/// Returns the mark of this process. `None` if `/proc` is missing or is that of another PID namespace.
fn current_mark() -> Option<u64> {
    let shown = fs::read_link("/proc/self").ok()?;
    if shown.to_str()?.parse() != Ok(process::id()) {
        return None;
    }
    let boot = fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let machine = fnv1a(boot.iter().chain(namespace.to_str()?.as_bytes()));
    Some((machine >> 33) << 32 | Stat::of("self")?.start)
}

/// Content of `/proc/<process>/stat`.
struct Stat {
    /// Low 32 bits of the start time in ticks.
    start: u64,
    /// The process is a zombie without another thread.
    ended: bool,
}

impl Stat {
    fn of(process: &str) -> Option<Stat> {
        let text = fs::read(format!("/proc/{process}/stat")).ok()?;
        // The command before the last parenthesis may contain spaces and parentheses itself.
        let rest = &text[text.iter().rposition(|&byte| byte == b')')? + 1..];
        let fields: Vec<_> = std::str::from_utf8(rest).ok()?.split_ascii_whitespace().collect();
        let threads: u64 = fields.get(17)?.parse().ok()?;
        let start: u64 = fields.get(19)?.parse().ok()?;
        Some(Stat { start: start & 0xffff_ffff, ended: matches!(fields[0], "Z" | "X") && threads <= 1 })
    }
}

/// Whether a process has this PID. Asks the kernel, because `/proc` may hide processes (`hidepid`).
fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // Another error says that the process may not be signalled, so it exists.
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Hash that is the same in every process and version.
fn fnv1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_name_has_an_owner() {
        assert!(Owner::parse("1-22-333").is_some());
        for name in ["", "1-2", "1-2-3-4", "1-2-x", "1--3", "1-+2-3"] {
            assert_eq!(Owner::parse(name), None, "{name}");
        }
        let owner = Owner::current(1);
        assert_eq!(Owner::parse(&owner.without_lock().to_name(7)), Some(owner.without_lock()));
        assert!(owner.has_lock() && !owner.without_lock().has_lock());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_told_from_a_later_one_with_the_same_pid() {
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        let machine = Owner::current(1).mark >> 32 << 32;
        let start = Stat::of(&child.id().to_string()).unwrap().start;
        let owner = |mark| Owner { pid: child.id(), mark };
        assert_eq!(owner(machine | start).life(), Life::Alive);
        assert_eq!(owner(machine | (start + 1)).life(), Life::Dead);
        assert_eq!(owner(start).life(), Life::Unknown, "of another namespace");
        let owner = owner(machine | start);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(owner.life(), Life::Dead);
    }
}
