//! Start time of the process.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Ticks per second in the files of `/proc`, which the kernel calls `USER_HZ`. It is 100 on every architecture that Rust
/// builds for.
#[cfg(target_os = "linux")]
const TICKS_PER_SECOND: u64 = 100;

/// Returns the start of the process as Unix time in seconds, or `None` if the system hides it.
///
/// It is computed once, so that it stays when the clock is set. After a fork it is computed again.
pub(crate) fn seconds() -> Option<f64> {
    /// Process ID and its start. The lock is held while the start is computed, so that all callers get the same one.
    static KNOWN: Mutex<Option<(u32, Option<f64>)>> = Mutex::new(None);
    let pid = std::process::id();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match *known {
        // A forked child has the memory of its parent, but a start of its own.
        Some((owner, start)) if owner == pid => start,
        _ => {
            let start = age().and_then(|age| before(SystemTime::now(), age));
            *known = Some((pid, start));
            start
        }
    }
}

/// Returns the Unix time in seconds of the moment `age` before `now`, or `None` if that is before 1970.
fn before(now: SystemTime, age: Duration) -> Option<f64> {
    let start = now.duration_since(UNIX_EPOCH).ok()?.checked_sub(age)?;
    (!start.is_zero()).then_some(start.as_secs_f64())
}

/// Returns the age of the process.
///
/// The kernel gives the start of a task in ticks since the boot of the reader's time namespace. The boot time itself is in
/// `/proc/stat`, which may be hidden or faked by a container. The start of a new thread has the same origin, so the
/// difference of the two needs no other clock.
#[cfg(target_os = "linux")]
fn age() -> Option<Duration> {
    let process = started("/proc/self/stat")?;
    // The builder returns an error where no thread can be made; `std::thread::spawn` would panic.
    let thread = std::thread::Builder::new().spawn(|| started("/proc/thread-self/stat")).ok()?;
    age_of(process, thread.join().ok()??)
}

#[cfg(target_os = "linux")]
fn started(file: &str) -> Option<u64> {
    start_ticks(&std::fs::read(file).ok()?)
}

/// Returns field 22 of a `stat` file. Field 2 is the name of the command in brackets. It may contain brackets and spaces, and
/// need not be UTF-8, so fields are counted from the last bracket.
#[cfg(target_os = "linux")]
fn start_ticks(stat: &[u8]) -> Option<u64> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    // Field 3 is the first one after the name.
    std::str::from_utf8(&stat[after_name..]).ok()?.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(target_os = "linux")]
fn age_of(process: u64, thread: u64) -> Option<Duration> {
    let ticks = thread.checked_sub(process)?;
    Some(Duration::from_millis(ticks.checked_mul(1000 / TICKS_PER_SECOND)?))
}

#[cfg(not(target_os = "linux"))]
fn age() -> Option<Duration> {
    use sysinfo::{Pid, ProcessesToUpdate, System};
    let pid = Pid::from_u32(std::process::id());
    let mut system = System::new();
    system.refresh_processes(ProcessesToUpdate::Some(&[pid]), false);
    let start = UNIX_EPOCH.checked_add(Duration::from_secs(system.process(pid)?.start_time()))?;
    SystemTime::now().duration_since(start).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_read_for_any_name_of_the_command() {
        let fields = (3..=52).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        for name in ["a", "a b", ") 1 2 (", "))) S 1 1 1", "", "\u{e9}"] {
            assert_eq!(start_ticks(format!("7 ({name}) {fields}\n").as_bytes()), Some(22), "{name}");
        }
        let not_text = [b"7 (\xff\xfe) ".as_slice(), fields.as_bytes()].concat();
        assert_eq!(start_ticks(&not_text), Some(22));
        for garbage in ["", ")", "7 (a) S 1 2", "7 (a) 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 -5 1", "7 a 1"] {
            assert_eq!(start_ticks(garbage.as_bytes()), None, "{garbage}");
        }
        let huge = format!("7 (a) {}{}0 1", "1 ".repeat(19), u64::MAX);
        assert_eq!(start_ticks(huge.as_bytes()), None, "more than 64 bits");
    }

    #[test]
    fn an_impossible_age_is_none() {
        assert_eq!(age_of(100, 350), Some(Duration::from_millis(2_500)));
        assert_eq!(age_of(350, 100), None, "a process that starts after its thread");
        assert_eq!(age_of(0, u64::MAX), None, "more milliseconds than there are");
        let at = UNIX_EPOCH + Duration::from_secs(1_000);
        assert_eq!(before(at, Duration::from_millis(2_500)), Some(997.5));
        assert_eq!(before(at, Duration::from_secs(1_000)), None);
        assert_eq!(before(at, Duration::from_secs(2_000)), None, "before 1970");
        assert_eq!(before(UNIX_EPOCH - Duration::from_secs(1), Duration::ZERO), None);
    }
}
