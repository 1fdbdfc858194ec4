//! Running the checks: order, width, deadlines, panics, causes.
//!
//! One conductor hands each check to a thread of its own and waits for answers and deadlines. A thread that does
//! not answer in time is left behind, and its check is not started again before it has come back.

mod limits;
mod plan;

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

pub use limits::Limits;
pub(crate) use plan::{Entry, positions_of_dependencies, refuse_cycles};

use crate::check::{Body, Check, Context};
use crate::report::{CheckResult, Report, SkipReason};
use crate::text::clean;

const FIX_BLOCKED: &str = "see what it waits for (a dead network disk, a debugger, an overloaded machine), or leave it out \
                           with `--skip`";

/// Runs `entries` and answers within `limits.total` (D3).
pub(crate) fn run(entries: &[Entry], limits: Limits, cx: &Context, asking: &Arc<AtomicUsize>) -> Report {
    let started = Instant::now();
    let node_id = ask_node_id(cx, asking);
    let mut run = Run::new(entries, limits, cx, started);
    while run.has_open() {
        run.start_what_can();
        run.wait();
        run.expire();
    }
    // The heading waits for the bus only a moment longer than the checks do.
    let patience = run.left().min(Duration::from_millis(100));
    let node_id = node_id.recv_timeout(patience).ok().flatten().map(|id| clean(&id, 100));
    Report { results: run.into_results(), node_id, duration: started.elapsed() }
}

/// A report of a run that could not take place.
pub(crate) fn all_errors(entries: &[Entry], why: &str, duration: Duration) -> Report {
    let result = |entry: &Entry| {
        let check = &entry.check;
        CheckResult::error(why).fix("run the doctor again").settle(
            check.name(),
            check.category(),
            Duration::ZERO,
        )
    };
    Report { results: entries.iter().map(result).collect(), node_id: None, duration }
}

/// Threads of all runs of a registry that may be asking for the node's ID; more are blocked ones.
const MAX_ASKING: usize = 16;

/// Asks the bus who the node is, on a thread of its own. A bus that blocks for ever takes a bounded number of them.
fn ask_node_id(cx: &Context, asking: &Arc<AtomicUsize>) -> Receiver<Option<String>> {
    let (sender, receiver) = channel();
    let (bus, asking) = (Arc::clone(&cx.bus), Asking::begin(asking));
    if asking.0.load(Ordering::Acquire) > MAX_ASKING {
        return receiver; // a closed channel: the heading says that no node is known
    }
    let ask = move || {
        let _asking = asking;
        let _ = sender.send(bus.node_id());
    };
    // Without a thread `ask` is dropped, and the channel is closed too.
    let _ = thread::Builder::new().name("doctor:node_id".to_owned()).spawn(ask);
    receiver
}

/// The bus is being asked once more, until this is dropped.
struct Asking(Arc<AtomicUsize>);

impl Asking {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Run<'a> {
    entries: &'a [Entry],
    slots: Vec<Slot>,
    limits: Limits,
    cx: &'a Context,
    end: Instant,
    sender: Sender<(usize, CheckResult)>,
    answers: Receiver<(usize, CheckResult)>,
}

enum Slot {
    Waiting,
    Running { since: Instant, until: Instant, claim: Claim },
    Settled(Box<CheckResult>),
}

impl<'a> Run<'a> {
    fn new(entries: &'a [Entry], limits: Limits, cx: &'a Context, started: Instant) -> Self {
        let (sender, answers) = channel();
        let slots = entries.iter().map(|_| Slot::Waiting).collect();
        // An endless limit would overflow the clock; a day is as good.
        let end = started + limits.total.min(Duration::from_secs(86_400));
        Self { entries, slots, limits, cx, end, sender, answers }
    }

    fn has_open(&self) -> bool {
        self.slots.iter().any(|slot| !matches!(slot, Slot::Settled(_)))
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Starts or skips every check whose dependencies are settled, until nothing changes.
    fn start_what_can(&mut self) {
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

    /// The root cause among what `entry` runs after: the check that failed, not one that was skipped for it.
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
        if check.stuck().load(Ordering::Acquire) > 0 {
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
                self.settle(at, error.fix("raise the limit of processes (`ulimit -u`)"), Duration::ZERO);
            }
        }
    }

    /// Waits for the next answer or deadline, and takes every answer that is there.
    fn wait(&mut self) {
        let deadlines = self.slots.iter().filter_map(|slot| match slot {
            Slot::Running { until, .. } => Some(*until),
            _ => None,
        });
        let Some(next) = deadlines.min() else { return };
        let patience = next.min(self.end).saturating_duration_since(Instant::now());
        let mut answer = self.answers.recv_timeout(patience).ok();
        while let Some((at, result)) = answer {
            // An answer after its deadline has been told as one already.
            if let Slot::Running { since, .. } = self.slots[at] {
                self.settle(at, result, since.elapsed());
            }
            answer = self.answers.try_recv().ok();
        }
    }

    /// Gives up on what is over its deadline, and on everything when the run is over its own.
    fn expire(&mut self) {
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
                        error.fix("see which other check takes so long, or give `--timeout`"),
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

    fn into_results(self) -> Vec<CheckResult> {
        let settled = |slot| match slot {
            Slot::Settled(result) => Some(*result),
            Slot::Waiting | Slot::Running { .. } => None,
        };
        self.slots.into_iter().filter_map(settled).collect()
    }
}

fn timed_out(patience: Duration) -> CheckResult {
    CheckResult::error(format!("no answer within {:.1} s", patience.as_secs_f64())).fix(FIX_BLOCKED)
}

/// What a check's thread takes with it.
struct Work {
    check: Check,
    cx: Context,
    patience: Duration,
    claim: Claim,
}

impl Work {
    fn run(self, at: usize, answers: &Sender<(usize, CheckResult)>) {
        let result = catch_unwind(AssertUnwindSafe(|| self.call())).unwrap_or_else(panicked);
        self.claim.done();
        // The conductor may be gone: then nobody waits for this check any more.
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
        // Not dropped: that would wait for blocking tasks that the check left behind.
        runtime.shutdown_background();
        result.unwrap_or_else(|_| timed_out(self.patience))
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> CheckResult {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let detail = format!("the check panicked: {}", text.unwrap_or("without a message"));
    // What it panicked with may panic once more when it is dropped, and then nobody would answer for this check.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(again);
    }
    CheckResult::error(detail).fix("report it as a bug of the check; leave it out with `--skip` until then")
}

/// Decides once whether a thread came back in time or was given up, and keeps count of the latter.
#[derive(Clone)]
struct Claim {
    state: Arc<AtomicU8>,
    stuck: Arc<AtomicUsize>,
}

const RUNNING: u8 = 0;
const ABANDONED: u8 = 1;
const DONE: u8 = 2;

impl Claim {
    fn new(stuck: Arc<AtomicUsize>) -> Self {
        Self { state: Arc::new(AtomicU8::new(RUNNING)), stuck }
    }

    fn abandon(&self) {
        // Counted before it is said, so that `done` never takes away what was not added.
        self.stuck.fetch_add(1, Ordering::AcqRel);
        if self.state.compare_exchange(RUNNING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.stuck.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn done(&self) {
        if self.state.swap(DONE, Ordering::AcqRel) == ABANDONED {
            self.stuck.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
