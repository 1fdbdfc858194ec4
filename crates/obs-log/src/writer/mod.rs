//! Writer thread: large writes, one file a day, in spite of every fault of the disk.

mod commit;
pub(crate) mod recovery;
pub(crate) mod shared;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use log::kv::Value;
use log::{Level, Record};

use self::commit::{LineRenderer, commit};
use self::shared::Shared;
use crate::clock::{DAY_NANOS, day_of};
use crate::config::redactor::Redactor;
use crate::files::DayFiles;
use crate::journal;
use crate::journal::arena::Arena;
use crate::json::Encoder;
use crate::process::{signal_mask, stderr};
use crate::queue::backlog::{Backlog, Run};
use crate::sync::lock;

/// Time for which lines gather before they are written. Longer gains no larger writes, shorter more system calls.
const GATHER: Duration = Duration::from_millis(20);
/// Number of turns without a line, one second in all, after which the writer sleeps until it is woken. To be woken costs the
/// caller of the next line a system call. To stay awake costs the machine power.
const ATTENTIVE_TURNS: u32 = 50;
/// Longest sleep. After it, a computer that was suspended notices that midnight has passed.
const MAX_IDLE: Duration = Duration::from_secs(30);
/// Shortest and longest pause before a failed write is tried again. The pause doubles from one to the other.
const RETRY: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];
/// Interval at which hand-over files of dead processes are looked for.
const RECOVER_INTERVAL: Duration = Duration::from_secs(60);
/// Interval at which a missing hand-over file is tried again.
const REMAKE_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest interval between reports of dropped lines, unless a flush asks for one.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Shortest interval between reports of lines that a rate limit holds back.
const HELD_BACK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest sleep while lines are held back. Keys without a line since then are quiet at its end, so that one wake-up is
/// enough. The numbers are in the log within 10 s, also on a busy machine.
const HELD_BACK_IDLE: Duration = Duration::from_secs(3);

/// State of the writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    files: DayFiles,
    today: i32,
    backlog: Backlog,
    run: Run,
    encoder: Encoder,
    renderer: LineRenderer,
    reported: [u64; 5],
    last_report: Option<Instant>,
    /// Time of the last report of lines held back.
    told_held_back: Option<Instant>,
    retry: Option<Duration>,
    /// Number of turns since the last line.
    quiet_turns: u32,
    /// Time of the last look for files of dead processes, or of the last try to make a hand-over file.
    looked: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, files: DayFiles) -> Writer {
        let today = day_of(shared.clock.now());
        Writer {
            shared,
            files,
            today,
            backlog: Backlog::default(),
            run: Run::default(),
            encoder: Encoder::default(),
            renderer: LineRenderer::default(),
            reported: [0; 5],
            last_report: None,
            told_held_back: None,
            retry: None,
            quiet_turns: ATTENTIVE_TURNS,
            looked: None,
        }
    }

    pub(crate) fn run(mut self) {
        signal_mask::block_all();
        self.shared.queue.arena().provide_first();
        loop {
            let queue = &self.shared.queue;
            let turn = match self.retry {
                None if self.quiet_turns < ATTENTIVE_TURNS => queue.likely_turn(GATHER),
                None => queue.next_turn_within(GATHER, || self.idle_time()),
                Some(pause) => queue.retry_turn(pause),
            };
            let result = self.turn(turn.asked || turn.stop);
            self.shared.queue.end_turn(turn, result.is_ok());
            self.note(result);
            // Only now, so that the last turn has written what it could.
            if turn.stop {
                return;
            }
        }
    }

    fn idle_time(&self) -> Duration {
        if self.shared.queue.dropped() != self.reported {
            return REPORT_INTERVAL;
        }
        // Counted from the day that was begun last, so that the writer does not sleep through a midnight that has just passed.
        let midnight = (i64::from(self.today) + 1).saturating_mul(DAY_NANOS);
        let left = midnight.saturating_sub(self.shared.clock.now()).max(0);
        let longest = if self.shared.held_back().is_some() { HELD_BACK_IDLE } else { MAX_IDLE };
        longest.min(Duration::from_nanos(left.unsigned_abs()))
    }

    /// Stages the numbers of lines that a rate limit holds back. Without one, they would wait for the next line of their key.
    fn report_held_back(&mut self) {
        let recent = self.told_held_back.is_some_and(|last| last.elapsed() < HELD_BACK_INTERVAL);
        // While nothing can be written, the queue may be full, and the numbers would be lost.
        if recent || self.retry.is_some() {
            return;
        }
        if let Some(held_back) = self.shared.held_back() {
            self.told_held_back = Some(Instant::now());
            (held_back.report)();
        }
    }

    /// Writes everything that is staged.
    fn turn(&mut self, report_now: bool) -> io::Result<()> {
        if let Some(files) = lock(&self.shared.next_files).take() {
            self.files = files;
        }
        // Once a turn: a file that is renamed in the middle of a write still gets that write whole.
        self.files.notice_changes();
        self.report_held_back();
        let written = self.write_staged();
        self.backlog.recycle(&self.shared.queue);
        add(&self.shared.counts.torn, self.files.take_torn());
        written?;
        self.begin_day()?;
        self.keep_safe();
        self.report_dropped(report_now)
    }

    /// Writes the lines that a failed turn left over, then the staged ones. While the first cannot be written, no further chunk
    /// is taken: a chunk with a line or two for each attempt would soon use up the queue.
    fn write_staged(&mut self) -> io::Result<()> {
        self.write_backlog()?;
        self.backlog.take_from(&self.shared.queue);
        if self.backlog.is_busy() {
            self.shared.queue.arena().provide();
        }
        self.quiet_turns = if self.backlog.is_empty() { self.quiet_turns.saturating_add(1) } else { 0 };
        if self.quiet_turns == ATTENTIVE_TURNS {
            self.renderer.shrink();
        }
        self.write_backlog()
    }

    fn write_backlog(&mut self) -> io::Result<()> {
        while self.backlog.next_run(&mut self.run) {
            let committed = commit(&self.backlog, &mut self.run, &mut self.files, &mut self.renderer);
            add(&self.shared.counts.bytes, committed.bytes);
            add(&self.shared.counts.written, committed.lines);
            committed.result?;
            self.backlog.recycle(&self.shared.queue);
        }
        Ok(())
    }

    /// Makes a hand-over file if there is none, because the disk was full or the folder was removed. Otherwise writes the lines
    /// that dead processes have left.
    fn keep_safe(&mut self) {
        let shared = &self.shared;
        let safe = shared.queue.arena().file().is_some_and(|file| file.is_in_place());
        shared.counts.crash_safe.store(safe, Ordering::Relaxed);
        let interval = if safe { RECOVER_INTERVAL } else { REMAKE_INTERVAL };
        if shared.ended.load(Ordering::SeqCst) || self.looked.is_some_and(|last| last.elapsed() < interval) {
            return;
        }
        self.looked = Some(Instant::now());
        if safe {
            let (recovered, _) = recovery::recover(&mut self.files);
            shared.counts.add_recovered(recovered);
        } else {
            match journal::create(self.files.dir(), shared.queue_bytes.load(Ordering::Relaxed)) {
                Ok(arena) => self.change_arena(arena),
                Err(error) => self.warn_of_memory(&error),
            }
        }
    }

    fn change_arena(&mut self, arena: Arena) {
        arena.provide_first();
        self.shared.queue.change_arena(arena);
        self.shared.counts.crash_safe.store(true, Ordering::Relaxed);
        self.shared.warned_of_memory.store(false, Ordering::Relaxed);
    }

    fn warn_of_memory(&mut self, error: &io::Error) {
        if !self.shared.warned_of_memory.swap(true, Ordering::Relaxed) {
            journal::warn_of_memory(self.files.dir(), error);
        }
    }

    /// Begins a new day's file at midnight, even without a line.
    fn begin_day(&mut self) -> io::Result<()> {
        let today = day_of(self.shared.clock.now());
        if today > self.today {
            self.files.begin_day(today)?;
        } else {
            self.files.tidy(today);
            self.files.link_latest(today);
        }
        self.today = today;
        Ok(())
    }

    /// Logs how many lines were dropped since the last report.
    fn report_dropped(&mut self, now: bool) -> io::Result<()> {
        let dropped = self.shared.queue.dropped();
        let recent = self.last_report.is_some_and(|last| last.elapsed() < REPORT_INTERVAL);
        if dropped == self.reported || (recent && !now) {
            return Ok(());
        }
        let nanos = self.shared.clock.now();
        let mut counts = [0; 5];
        counts
            .iter_mut()
            .zip(dropped)
            .zip(self.reported)
            .for_each(|((count, now), before)| *count = now - before);
        let line = dropped_line(&mut self.encoder, nanos, counts);
        let line = &mut [IoSlice::new(line)];
        self.files.append(day_of(nanos), line, &mut |_| {}).map_err(|interrupted| interrupted.error)?;
        // Only after the write. If it fails, the next report has these lines too.
        self.reported = dropped;
        self.last_report = Some(Instant::now());
        Ok(())
    }

    /// Notes the result of a turn. The first failure in a row is reported on stderr.
    fn note(&mut self, result: io::Result<()>) {
        let Err(error) = result else {
            self.retry = None;
            return;
        };
        add(&self.shared.counts.write_errors, 1);
        if self.retry.is_none() {
            let path = self.files.path_of(self.today);
            stderr::say(format!(
                "cannot write {}: {error}; lines wait in the queue and are dropped when it is full",
                path.display()
            ));
        }
        self.retry = Some(self.retry.map_or(RETRY[0], |pause| (pause * 2).min(RETRY[1])));
    }
}

fn dropped_line(encoder: &mut Encoder, nanos: i64, counts: [u64; 5]) -> &[u8] {
    const FIELDS: [&str; 5] =
        ["dropped_error", "dropped_warning", "dropped_info", "dropped_debug", "dropped_trace"];
    let mut fields = vec![("dropped", Value::from(counts.iter().sum::<u64>()))];
    fields
        .extend(FIELDS.into_iter().zip(counts).filter(|(_, n)| *n > 0).map(|(key, n)| (key, Value::from(n))));
    let fields = &fields.as_slice();
    let mut record = Record::builder();
    record.level(Level::Warn).target("obs_log").key_values(fields);
    let record = record.args(format_args!("log lines dropped")).build();
    encoder.encode(nanos, &record, &Redactor::default()).unwrap_or_default()
}

/// Adds to a number that only this thread stores, so a load and a store are enough.
fn add(count: &AtomicU64, by: u64) {
    count.store(count.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}
