//! The beat: the times at which the node looks at its surroundings.
//!
//! Looks with timers of their own would wake the processor at as many times, and a sleep of seconds in tokio wakes a thread up
//! to three times. So all looks wait for the same beat. Those that may wait for a disk have a
//! thread of their own, so that a dead disk stops no other look.

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Time between two beats. More often than scrapers usually ask.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

/// Something that is done at each beat.
pub(crate) type Look = Box<dyn FnMut() + Send>;

/// Thread that has its looks at each beat, until this value is dropped.
#[must_use = "the looks end when this is dropped"]
pub(crate) struct Beating {
    _end: Sender<Infallible>,
}

/// Has the looks at once, and then at each beat after `start`.
///
/// # Errors
///
/// If the thread cannot be started.
pub(crate) fn begin(name: &str, start: Instant, mut looks: Vec<Look>) -> io::Result<Beating> {
    let (end, ended) = channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        loop {
            for look in &mut looks {
                // The hook has logged the panic of a look. The next ones go on.
                let _ = catch_unwind(AssertUnwindSafe(look));
            }
            if ended.recv_timeout(until_next(start.elapsed())) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    })?;
    Ok(Beating { _end: end })
}

/// Returns the time until the next beat, at this time after the start.
fn until_next(passed: Duration) -> Duration {
    let beats = passed.as_nanos() / INTERVAL.as_nanos() + 1;
    // A `u32` of beats is longer than 600 years.
    (INTERVAL * beats as u32).saturating_sub(passed)
}

/// Beats for tasks.
#[derive(Clone, Debug)]
pub(crate) struct Beats(watch::Receiver<()>);

impl Beats {
    /// Returns beats, and the look that passes them on to tasks.
    pub(crate) fn new() -> (Beats, Look) {
        let (sender, receiver) = watch::channel(());
        (Beats(receiver), Box::new(move || sender.send_replace(())))
    }

    /// Waits for the next beat. The first one is at the start of the thread, even if that was before this call. A task
    /// that misses beats gets one for all of them.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // The node ends, and with it this task.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn beats_are_multiples_of_the_interval_after_the_start() {
        for (passed, left) in [(0, 5_000), (1, 4_999), (4_999, 1), (5_000, 5_000), (12_345, 2_655)] {
            assert_eq!(until_next(Duration::from_millis(passed)), Duration::from_millis(left), "{passed}");
        }
    }

    #[test]
    fn a_look_that_panics_stops_no_other_and_the_thread_ends_with_its_value() {
        let (saw, seen) = channel();
        let looks: Vec<Look> =
            vec![Box::new(|| panic!("a look that fails")), Box::new(move || saw.send(()).unwrap())];
        let beating = begin("beat", Instant::now(), looks).unwrap();
        seen.recv().unwrap();
        drop(beating);
        // The thread drops the looks when it ends.
        while seen.recv().is_ok() {}
    }

    #[tokio::test]
    async fn every_task_gets_the_first_beat_even_one_that_asks_later() {
        let (beats, look) = Beats::new();
        let beating = begin("beat", Instant::now(), vec![look]).unwrap();
        for mut ours in [beats.clone(), beats] {
            ours.next().await;
        }
        drop(beating);
    }
}
