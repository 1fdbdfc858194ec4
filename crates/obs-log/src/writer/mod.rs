//! The writer thread: large writes, one file a day, faults survived (L8, L9).

mod commit;
pub(crate) mod recovery;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use log::kv::Value;
use log::{Level, Record};

use crate::api::secret::Redactor;
use crate::clock::{DAY_NANOS, day_of};
use crate::dispatch::pipeline::Shared;
use crate::files::DayFiles;
use crate::journal::arena::Arena;
use crate::journal::file;
use crate::json::Encoder;
use crate::process::at_exit;
use crate::process::stderr;
use crate::queue::backlog::{Backlog, Run};
use crate::sync::lock;
use crate::writer::commit::transfer;

/// How long lines gather before they are written.
const GATHER: Duration = Duration::from_millis(20);
/// After so many turns without a line the writer sleeps until it is woken, which costs the caller of the next line a
/// system call, and the machine another processor that is awake.
const ATTENTIVE: u32 = 50;
/// The longest idle sleep. A computer that was suspended learns by it that midnight has passed.
const IDLE: Duration = Duration::from_secs(30);
/// The shortest and the longest pause before a failed write is tried again.
const RETRY: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];
/// How often lines of dead processes are looked for, and how often a missing hand-over file is tried to be made.
const RECOVER_EVERY: Duration = Duration::from_secs(60);
const REMAKE_EVERY: Duration = Duration::from_secs(1);
/// Reports of dropped lines are at least this far apart, unless somebody flushes.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The state of the writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    files: DayFiles,
    today: i32,
    backlog: Backlog,
    run: Run,
    encoder: Encoder,
    reported: [u64; 5],
    last_report: Option<Instant>,
    retry: Option<Duration>,
    /// Turns since there was something to write.
    quiet_turns: u32,
    /// When a hand-over file was last missing, and lines of the dead were last looked for.
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
            reported: [0; 5],
            last_report: None,
            retry: None,
            quiet_turns: ATTENTIVE,
            looked: None,
        }
    }

    pub(crate) fn run(mut self) {
        at_exit::block_signals();
        self.shared.batch.arena().provide();
        loop {
            let wake = &self.shared.batch.wake;
            let turn = match self.retry {
                None if self.quiet_turns < ATTENTIVE => wake.likely_turn(GATHER),
                None => wake.next_turn(&self.shared.batch, GATHER, self.idle_time()),
                Some(pause) => wake.retry_turn(pause),
            };
            let result = self.turn(turn.asked || turn.stop);
            self.shared.batch.wake.end_turn(turn, result.is_ok());
            self.note(result);
            if turn.stop {
                return;
            }
        }
    }

    fn idle_time(&self) -> Duration {
        if self.shared.batch.dropped() != self.reported {
            return REPORT_EVERY;
        }
        // From the day that was begun last, so that a midnight that has just passed is not slept over.
        let midnight = (i64::from(self.today) + 1).saturating_mul(DAY_NANOS);
        let left = midnight.saturating_sub(self.shared.clock.now()).max(0);
        IDLE.min(Duration::from_nanos(left.unsigned_abs()))
    }

    /// Writes all there is.
    fn turn(&mut self, report_now: bool) -> io::Result<()> {
        if let Some(files) = lock(&self.shared.next_files).take() {
            self.files = files;
        }
        self.files.notice_changes();
        let written = self.write_staged();
        self.backlog.recycle(&self.shared.batch);
        add(&self.shared.counts.torn, self.files.take_torn());
        written?;
        self.begin_day()?;
        self.keep_safe();
        self.report_dropped(report_now)
    }

    /// What is left over from a turn that failed goes first. As long as it cannot be written lines gather where callers
    /// have put them: to take a chunk with a line or two at each attempt would soon take all of the queue.
    fn write_staged(&mut self) -> io::Result<()> {
        self.write_backlog()?;
        self.backlog.take_from(&self.shared.batch);
        self.quiet_turns = if self.backlog.is_empty() { self.quiet_turns.saturating_add(1) } else { 0 };
        self.write_backlog()
    }

    fn write_backlog(&mut self) -> io::Result<()> {
        while self.backlog.next_run(&mut self.run) {
            let transfer = transfer(&self.backlog, &self.run, &mut self.files);
            add(&self.shared.counts.bytes, transfer.bytes);
            add(&self.shared.counts.written, transfer.lines);
            transfer.result?;
            self.backlog.recycle(&self.shared.batch);
        }
        Ok(())
    }

    /// Looks after the hand-over file: makes one where there is none, because the disk was full, say, or because it
    /// was removed with the folder; and takes over what other processes have left (L10).
    fn keep_safe(&mut self) {
        let shared = &self.shared;
        let safe = shared.batch.arena().file().is_some_and(|file| file.is_in_place());
        shared.counts.crash_safe.store(safe, Ordering::Relaxed);
        let every = if safe { RECOVER_EVERY } else { REMAKE_EVERY };
        if shared.ended.load(Ordering::SeqCst) || self.looked.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        self.looked = Some(Instant::now());
        if safe {
            let (recovered, _) = recovery::recover(&mut self.files);
            shared.counts.add_recovered(recovered);
        } else {
            match file::create(self.files.dir(), shared.queue_bytes.load(Ordering::Relaxed)) {
                Ok(arena) => self.change_arena(arena),
                Err(error) => self.warn_of_memory(&error),
            }
        }
    }

    fn change_arena(&mut self, arena: Arena) {
        arena.provide();
        self.shared.batch.change_arena(arena);
        self.shared.counts.crash_safe.store(true, Ordering::Relaxed);
        self.shared.told_of_memory.store(false, Ordering::Relaxed);
    }

    fn warn_of_memory(&mut self, error: &io::Error) {
        if !self.shared.told_of_memory.swap(true, Ordering::Relaxed) {
            file::warn_of_memory(self.files.dir(), error);
        }
    }

    /// At midnight, also without a line (L4).
    fn begin_day(&mut self) -> io::Result<()> {
        let today = day_of(self.shared.clock.now());
        if today > self.today {
            self.files.begin_day(today)?;
        } else {
            self.files.tidy(today);
        }
        self.today = today;
        Ok(())
    }

    /// Logs how many lines were dropped since the last report (L8).
    fn report_dropped(&mut self, now: bool) -> io::Result<()> {
        let dropped = self.shared.batch.dropped();
        let recent = self.last_report.is_some_and(|last| last.elapsed() < REPORT_EVERY);
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
        self.reported = dropped;
        self.last_report = Some(Instant::now());
        Ok(())
    }

    fn note(&mut self, result: io::Result<()>) {
        let Err(error) = result else {
            self.retry = None;
            return;
        };
        add(&self.shared.counts.write_errors, 1);
        if self.retry.is_none() {
            let path = self.files.path_of(self.today);
            stderr::say(format!(
                "cannot write {}: {error}; lines are kept in memory and dropped when it is full",
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

/// Only the writer counts, so a load and a store do.
fn add(count: &AtomicU64, by: u64) {
    count.store(count.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}
