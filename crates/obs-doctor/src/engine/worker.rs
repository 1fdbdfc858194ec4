//! Thread of one check.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::claim::Claim;
use crate::check::{Body, Check, Context};
use crate::report::{CheckResult, SkipReason};

/// Fix for a check that does not return.
pub(super) const FIX_BLOCKED: &str = "find what it waits for (a dead network disk, a debugger, an overloaded machine), or \
                                      leave it out with `--skip`";

/// Work of a check's thread.
pub(super) struct Work {
    pub(super) check: Check,
    pub(super) cx: Context,
    pub(super) patience: Duration,
    pub(super) claim: Claim,
}

impl Work {
    /// Runs the check and sends its result with the check's position. A panic becomes an error.
    pub(super) fn run(self, at: usize, answers: &Sender<(usize, CheckResult)>) {
        let result = catch_unwind(AssertUnwindSafe(|| self.call())).unwrap_or_else(panicked);
        // Before the result is sent, so that a run that starts afterwards does not find the check stuck.
        self.claim.done();
        // An error means that the run is over and the conductor is gone.
        let _ = answers.send((at, result));
    }

    fn call(&self) -> CheckResult {
        if let Some(skip) = self.unmet_need() {
            return skip;
        }
        match self.check.body() {
            Body::Blocking(work) => work(&self.cx),
            Body::Async(work) => self.drive(work(self.cx.clone())),
        }
    }

    fn unmet_need(&self) -> Option<CheckResult> {
        let needs = self.check.needs();
        if needs.internet && self.cx.config.offline {
            return Some(CheckResult::skip(SkipReason::Offline, "offline"));
        }
        if needs.node && self.cx.bus.node_id().is_none() {
            return Some(CheckResult::skip(SkipReason::NoNode, "no node running"));
        }
        let root = rustix::process::geteuid().is_root();
        (needs.root && !root).then(|| CheckResult::skip(SkipReason::NotRoot, "needs root"))
    }

    fn drive(&self, work: impl Future<Output = CheckResult>) -> CheckResult {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(err) => {
                return CheckResult::error(format!("no runtime to run it on: {err}"))
                    .fix("raise the limit of open files (`ulimit -n`)");
            }
        };
        let result = runtime.block_on(async { tokio::time::timeout(self.patience, work).await });
        // A drop would wait for blocking tasks that the check has left behind.
        runtime.shutdown_background();
        result.unwrap_or_else(|_| timed_out(self.patience))
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> CheckResult {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let detail = format!("the check panicked: {}", text.unwrap_or("without a message"));
    // The payload's own drop may panic. That panic would end the thread without a result.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(again);
    }
    CheckResult::error(detail).fix("report it as a bug of the check, and leave it out with `--skip`")
}

/// Returns the result of a check that exceeded its deadline.
pub(super) fn timed_out(patience: Duration) -> CheckResult {
    CheckResult::error(format!("no answer within {:.1} s", patience.as_secs_f64())).fix(FIX_BLOCKED)
}
