//! Threads for calls of the source, which may block.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Semaphore;

use crate::refused::Refused;

/// Longest wait for a thread.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Jobs that run or wait, for each that may run. A job that waits costs memory only.
const JOBS_EACH: usize = 64;

/// A few threads at a time of the runtime's pool for blocking work. The pool itself has hundreds, which a node shares.
#[derive(Clone, Debug)]
pub(super) struct Work {
    running: Arc<Semaphore>,
    /// Jobs that run or wait.
    places: Arc<Semaphore>,
}

impl Work {
    /// Allows so many jobs at a time.
    pub(super) fn new(threads: usize) -> Self {
        Work {
            running: Arc::new(Semaphore::new(threads)),
            places: Arc::new(Semaphore::new(threads * JOBS_EACH)),
        }
    }

    /// Runs a job. Its caller may go away meanwhile; the job keeps its place until it ends.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let busy = || Refused::busy("the console has too much to do; try again");
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let thread = tokio::time::timeout(LONGEST_WAIT, self.running.clone().acquire_owned());
        let Ok(Ok(thread)) = thread.await else { return Err(busy()) };
        let job = tokio::task::spawn_blocking(move || {
            let result = job();
            drop((thread, place));
            result
        });
        job.await.map_err(|_| {
            Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made; the log says why")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn jobs_beyond_the_bound_are_refused_and_a_panic_frees_its_place() {
        let work = Work::new(1);
        let (release, wait) = mpsc::channel::<()>();
        let held = tokio::spawn({
            let work = work.clone();
            async move { work.run(move || wait.recv().is_ok()).await }
        });
        let mut waiting = Vec::new();
        while work.places.available_permits() > 0 {
            let other = work.clone();
            waiting.push(tokio::spawn(async move { other.run(|| ()).await }));
            tokio::task::yield_now().await;
        }
        let refused = work.run(|| ()).await.unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(1)));
        release.send(()).unwrap();
        assert_eq!(held.await.unwrap(), Ok(true));
        for other in waiting {
            assert_eq!(other.await.unwrap(), Ok(()));
        }
        let failed = work.run(|| panic!("on purpose")).await.unwrap_err();
        assert_eq!(failed.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(work.run(|| 7).await, Ok(7));
    }
}
