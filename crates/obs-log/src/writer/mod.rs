//! Writer thread: large writes, one file a day, in spite of every fault of the disk.

mod commit;
pub(crate) mod recovery;
pub(crate) mod shared;

use std::io::{self, IoSlice};
use std::path::Path;
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
    /// Those of the folder before, for the lines that wait there. Recovery looks for a line in the folder of its hand-over file.
    former: Option<DayFiles>,
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
            former: None,
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
        self.change_files();
        // Before lines are taken. Afterwards no line is staged in the folder before.
        let arena = self.shared.queue.arena();
        let has_moved = arena.file().is_none() || waits_in(&arena, self.files.dir());
        // Once a turn: a file that is renamed in the middle of a write still gets that write whole.
        self.files.notice_changes();
        self.former.iter_mut().for_each(DayFiles::notice_changes);
        self.report_held_back();
        let written = self.write_staged();
        self.backlog.recycle(&self.shared.queue);
        let torn = self.files.take_torn() + self.former.as_mut().map_or(0, DayFiles::take_torn);
        add(&self.shared.counts.torn, torn);
        written?;
        self.former.take_if(|_| has_moved);
        self.begin_day()?;
        self.keep_safe();
        self.report_dropped(report_now)
    }

    /// Changes over to other day files, if there are any.
    fn change_files(&mut self) {
        if let Some(mut files) = lock(&self.shared.next_files).take() {
            // The files before may have begun another part since these were opened.
            files.go_to_last_part();
            let before = std::mem::replace(&mut self.files, files);
            if before.dir() != self.files.dir() {
                self.former = Some(before);
            }
        }
    }

    /// Writes the lines that a failed turn left over, then the staged ones. While the first cannot be written, no further chunk
    /// is taken: a chunk with a line or two for each attempt would soon use up the queue.
    fn write_staged(&mut self) -> io::Result<()> {
        self.write_backlog()?;
        self.backlog.take_from(&self.shared.queue);
        // Again, because lines may have been taken that wait in the folder of files which were not there before.
        self.change_files();
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
            let arena = self.backlog.arena(&self.run);
            let is_there = |former: &&mut DayFiles| arena.is_some_and(|arena| waits_in(&arena, former.dir()));
            let former = self.former.as_mut().filter(is_there);
            let is_former = former.is_some();
            let files = former.unwrap_or(&mut self.files);
            let committed = commit(&self.backlog, &mut self.run, files, &mut self.renderer);
            add(&self.shared.counts.bytes, committed.bytes);
            add(&self.shared.counts.written, committed.lines);
            match committed.result {
                // The former disk may be broken. What is left goes to the new folder.
                Err(_) if is_former => self.former = None,
                result => result?,
            }
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

/// Whether the lines of `arena` wait in a file in `folder`.
fn waits_in(arena: &Arena, folder: &Path) -> bool {
    arena.file().is_some_and(|file| file.path().parent() == Some(folder))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use std::fs;

    /// 2024-02-28T00:00:00Z.
    const FEB_28: i64 = 19_781 * DAY_NANOS;

    const LINE: &[u8] = b"{\"ts\":\"a line\"}\n";

    /// Recovery would not find them in another folder, and would write them again.
    #[test]
    fn lines_are_written_to_the_folder_of_their_hand_over_file() {
        let dir = tempfile::tempdir().unwrap();
        let folders = ["one", "two"].map(|name| dir.path().join(name));
        folders.iter().for_each(|folder| fs::create_dir(folder).unwrap());
        let [one, two] = &folders;
        let arena = |folder| journal::create(folder, 1 << 20).unwrap();
        let lines = |folder: &Path| {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let files = entries.filter(|path| path.extension().is_some());
            files.map(|path| fs::read_to_string(path).unwrap().lines().count()).sum::<usize>()
        };
        let wait = Duration::from_secs(1);
        let shared = Arc::new(Shared::new(arena(one), Clock::System, 1 << 20, wait));
        let stage = || assert!(shared.queue.append(0, Level::Info, shared.clock.now(), LINE, wait));
        let mut writer = Writer::new(Arc::clone(&shared), DayFiles::new(one));
        *lock(&shared.next_files) = Some(DayFiles::new(two));
        // Further lines come between the turn that changes over and the change of the hand-over file.
        for written in 1..=2 {
            stage();
            writer.turn(false).unwrap();
            assert_eq!((lines(one), lines(two)), (written, 0));
        }
        stage();
        shared.queue.change_arena(arena(two));
        (0..2).for_each(|_| stage());
        writer.turn(false).unwrap();
        assert!(writer.former.is_none());
        // The open chunk was still one of the former file.
        assert_eq!((lines(one), lines(two)), (5, 0));
        stage();
        writer.turn(false).unwrap();
        assert_eq!((lines(one), lines(two)), (5, 1));
        // The files of a folder that cannot be written any more are given up.
        *lock(&shared.next_files) = Some(DayFiles::new(one));
        stage();
        fs::remove_dir_all(two).unwrap();
        fs::write(two, "in the way").unwrap();
        writer.turn(false).unwrap();
        assert_eq!(lines(one), 6);
    }

    #[test]
    fn other_files_go_on_in_the_last_part() {
        let dir = tempfile::tempdir().unwrap();
        let wait = Duration::from_secs(1);
        let files = || DayFiles::of(&Config::new(dir.path()).max_bytes(1 << 20));
        let arena = journal::create(dir.path(), 2 << 20).unwrap();
        let shared = Arc::new(Shared::new(arena, Clock::System, 2 << 20, wait));
        let stage = |line: &[u8]| assert!(shared.queue.append(0, Level::Error, FEB_28, line, wait));
        let mut writer = Writer::new(Arc::clone(&shared), files());
        let long = [&[b'x'; 100_000][..], b"\n"].concat();
        stage(LINE);
        writer.turn(false).unwrap();
        let mut next = files();
        next.prepare(day_of(FEB_28)).unwrap();
        (0..11).for_each(|_| stage(&long));
        writer.turn(false).unwrap();
        *lock(&shared.next_files) = Some(next);
        stage(LINE);
        writer.turn(false).unwrap();
        let part = fs::read(dir.path().join("2024-02-28.1.log")).unwrap();
        assert!(part.starts_with(&long) && part.ends_with(LINE));
    }
}
