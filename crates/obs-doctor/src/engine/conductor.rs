//! Conductor of a run: starts checks, waits for results and deadlines.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::claim::Claim;
use super::limits::Limits;
use super::plan::Entry;
use super::worker::{FIX_BLOCKED, Work, timed_out};
use crate::check::{Check, Context};
use crate::machine::is_filtered;
use crate::report::{CheckResult, SkipReason};

/// State of a run.
pub(super) struct Run<'a> {
    entries: &'a [Entry],
    slots: Vec<Slot>,
    limits: Limits,
    cx: &'a Context,
    end: Instant,
    sender: Sender<(usize, CheckResult)>,
    answers: Receiver<(usize, CheckResult)>,
}

/// State of one check in a run.
enum Slot {
    Waiting,
    Running { since: Instant, until: Instant, claim: Claim },
    Settled(Box<CheckResult>),
}

impl<'a> Run<'a> {
    pub(super) fn new(entries: &'a [Entry], limits: Limits, cx: &'a Context, started: Instant) -> Self {
        let (sender, answers) = channel();
        let slots = entries.iter().map(|_| Slot::Waiting).collect();
        // An unlimited duration would overflow `Instant`. A day is longer than any run.
        let end = started + limits.total.min(Duration::from_secs(86_400));
        Self { entries, slots, limits, cx, end, sender, answers }
    }

    /// Returns whether a check has no result yet.
    pub(super) fn has_open(&self) -> bool {
        self.slots.iter().any(|slot| !matches!(slot, Slot::Settled(_)))
    }

    /// Returns the time left for the run.
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Starts or skips each check whose dependencies are settled, until nothing changes.
    pub(super) fn start_ready(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            for at in 0..self.entries.len() {
                changed |= self.try_start(at);
            }
        }
    }

    fn try_start(&mut self, at: usize) -> bool {
        let entry = &self.entries[at];
        if !matches!(self.slots[at], Slot::Waiting) {
            return false;
        }
        if entry.excluded {
            self.settle(at, CheckResult::skip(SkipReason::Excluded, "left out by request"), Duration::ZERO);
            return true;
        }
        if let Some(cause) = self.failed_dependency(entry) {
            let skip = CheckResult::skip(SkipReason::Dependency, format!("needs {cause}")).because_of(&cause);
            self.settle(at, skip, Duration::ZERO);
            return true;
        }
        if !self.dependencies_settled(entry) || self.running() >= self.limits.parallel.max(1) {
            return false;
        }
        self.start(at);
        true
    }

    /// Returns the root cause among the dependencies of `entry`: the check that failed, not one that was skipped for it.
    fn failed_dependency(&self, entry: &Entry) -> Option<String> {
        entry.after.iter().find_map(|&dep| match &self.slots[dep] {
            Slot::Settled(result) if !result.ok => Some(result.name.clone()),
            Slot::Settled(result) => result.caused_by.clone(),
            _ => None,
        })
    }

    fn dependencies_settled(&self, entry: &Entry) -> bool {
        entry.after.iter().all(|&dep| matches!(self.slots[dep], Slot::Settled(_)))
    }

    fn running(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot, Slot::Running { .. })).count()
    }

    fn start(&mut self, at: usize) {
        let check = &self.entries[at].check;
        let now = Instant::now();
        // One stuck thread is enough: more would pile up with each run.
        if is_stuck(check) {
            let error = CheckResult::error("still blocked since an earlier run, so not started again")
                .fix(FIX_BLOCKED);
            return self.settle(at, error, Duration::ZERO);
        }
        let patience = check.deadline().unwrap_or(self.limits.per_check).min(self.left());
        let claim = Claim::new(Arc::clone(check.stuck()));
        let work = Work { check: check.clone(), cx: self.cx.clone(), patience, claim: claim.clone() };
        let sender = self.sender.clone();
        let thread = thread::Builder::new().name(format!("doctor:{}", check.name()));
        match thread.spawn(move || work.run(at, &sender)) {
            Ok(_) => self.slots[at] = Slot::Running { since: now, until: now + patience, claim },
            Err(err) => {
                let error = CheckResult::error(format!("no thread to run it on: {err}"));
                self.settle(at, error.fix(fix_without_thread(&err)), Duration::ZERO);
            }
        }
    }

    /// Waits for the next result or deadline, and takes all results that have arrived.
    pub(super) fn wait(&mut self) {
        let deadlines = self.slots.iter().filter_map(|slot| match slot {
            Slot::Running { until, .. } => Some(*until),
            _ => None,
        });
        let Some(next) = deadlines.min() else { return };
        // The conductor wakes for the next deadline at the latest, even if no check answers.
        let patience = next.min(self.end).saturating_duration_since(Instant::now());
        let mut answer = self.answers.recv_timeout(patience).ok();
        while let Some((at, result)) = answer {
            // A check whose deadline has passed is settled already. Its late result is dropped.
            if let Slot::Running { since, .. } = self.slots[at] {
                self.settle(at, result, since.elapsed());
            }
            answer = self.answers.try_recv().ok();
        }
    }

    /// Settles checks that are past their deadline, and all open checks once the run is past its own.
    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        for at in 0..self.slots.len() {
            match &self.slots[at] {
                Slot::Running { since, until, claim } if now >= *until || now >= self.end => {
                    let (patience, elapsed) = (*until - *since, now - *since);
                    claim.abandon();
                    self.settle(at, timed_out(patience), elapsed);
                }
                Slot::Waiting if now >= self.end => {
                    let error = CheckResult::error("not started: the time for the whole run was over");
                    self.settle(
                        at,
                        error.fix("find the check that takes so long, or set `--timeout`"),
                        Duration::ZERO,
                    );
                }
                _ => {}
            }
        }
    }

    fn settle(&mut self, at: usize, result: CheckResult, duration: Duration) {
        let check = &self.entries[at].check;
        self.slots[at] = Slot::Settled(Box::new(result.settle(check.name(), check.category(), duration)));
    }

    pub(super) fn into_results(self) -> Vec<CheckResult> {
        let settled = |slot| match slot {
            Slot::Settled(result) => Some(*result),
            Slot::Waiting | Slot::Running { .. } => None,
        };
        self.slots.into_iter().filter_map(settled).collect()
    }
}

/// Time that a check has to end after its deadline. Work that waits is dropped at the deadline, by the thread that the next run
/// would find.
const MOMENT: Duration = Duration::from_millis(50);

/// Returns whether a thread of an earlier run still runs the check.
fn is_stuck(check: &Check) -> bool {
    let end = Instant::now() + MOMENT;
    // Acquire pairs with the release in `Claim`, so that a thread that has finished is seen as finished.
    while check.stuck().load(Ordering::Acquire) > 0 {
        if Instant::now() >= end {
            return true;
        }
        thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Returns the fix where no thread can be started. `EPERM` and `ENOSYS` come from a seccomp profile that does not allow
/// `clone`. The C library reports a limit and missing memory alike.
pub(crate) fn fix_without_thread(err: &io::Error) -> &'static str {
    if is_filtered(err) {
        "allow the system calls clone and clone3 in the container's or service's security policy (seccomp, \
         `SystemCallFilter=`)"
    } else {
        "raise the limit of processes (`ulimit -u`, `TasksMax=` of the service), or free memory (`free -m`)"
    }
}
