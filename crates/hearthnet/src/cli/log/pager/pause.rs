//! Pause between two looks at followed files.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Waits for `time`. Returns `BrokenPipe` as soon as `out` has no reader, which a quiet log would not notice by
/// writing.
pub(super) fn pause(out: &impl AsFd, time: Duration) -> io::Result<()> {
    // Without requested events, the system reports only errors and a closed reader.
    let mut watched = [PollFd::new(out, PollFlags::empty())];
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
    match poll(&mut watched, Some(&time)) {
        Ok(0) | Err(Errno::INTR) => Ok(()),
        Ok(_) => Err(io::ErrorKind::BrokenPipe.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// The pause is an hour, so that only the end of the reader can end it.
    #[test]
    fn the_end_of_the_reader_ends_the_pause() {
        let (reader, out) = io::pipe().unwrap();
        let pausing = thread::spawn(move || pause(&out, Duration::from_secs(3600)));
        drop(reader);
        assert_eq!(pausing.join().unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_reader_that_stays_and_a_file_end_no_pause() {
        let (_reader, out) = io::pipe().unwrap();
        assert!(pause(&out, Duration::from_millis(1)).is_ok());
        assert!(pause(&tempfile::tempfile().unwrap(), Duration::from_millis(1)).is_ok());
    }
}
