//! Time that a thread waited for a processor.
//!
//! A thread that the kernel has taken off its processor holds its worker too, but its code does not block. Linux counts
//! that time for each thread. Elsewhere, and where `/proc` is out of reach, it counts as part of the poll.

use std::time::Duration;

/// Returns the time that this thread has waited since its start. `None` where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_this_thread() -> Option<Duration> {
    None
}

/// Returns the time that this thread has waited since its start. `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn of_this_thread() -> Option<Duration> {
    use std::cell::OnceCell;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    thread_local! {
        /// Stays open, because opening takes five times as long as reading.
        static FILE: OnceCell<Option<File>> = const { OnceCell::new() };
    }

    let mut text = [0; 64];
    let open = || File::open("/proc/thread-self/schedstat").ok();
    let read = |file: &OnceCell<Option<File>>| file.get_or_init(open).as_ref()?.read_at(&mut text, 0).ok();
    // At the end of a thread there is no file any more.
    let bytes = FILE.try_with(read).ok().flatten()?;
    let text = std::str::from_utf8(&text[..bytes]).ok()?;
    // The second number: nanoseconds on a run queue.
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_it() {
        if std::path::Path::new("/proc/thread-self/schedstat").exists() {
            assert!(of_this_thread().is_some());
        }
    }
}
