//! Work of the history's thread: reads the registry, ends minutes, and writes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::begun::Begun;
use super::config::Config;
use super::file::store::{self, Store, Stretch};
use super::file::{self, Fault};
use super::minute::Minute;
use super::pending::Pending;
use super::sampling::clock::{MinuteClock, Moment, Turn};
use super::sampling::gauges::Gauges;
use super::stats::Counters;

/// Minutes between two removals of old minutes, and between two minutes with all gauges.
const HOUR: i64 = 60;

/// State of the history's thread. The caller gives it the time, so that a test can play any clock.
#[derive(Debug)]
pub(super) struct Worker {
    config: Config,
    path: PathBuf,
    clock: MinuteClock,
    begun: Arc<Begun>,
    gauges: Gauges,
    pending: Pending,
    store: Option<Store>,
    /// Fault that was logged and is not over.
    failing: Option<Fault>,
    stats: Arc<Counters>,
    /// Whether the current minute is the first one of its stretch. It has all gauges.
    is_first: bool,
}

impl Worker {
    /// Begins at `now`. What the registry counted before is not part of the history. `process` names this process and this
    /// history among all others.
    pub(super) fn new(config: Config, now: Moment, process: &str, stats: Arc<Counters>) -> Worker {
        let first = Stretch {
            number: 0,
            token: format!("{process}-0"),
            cause: if config.is_resumed() { "resumed" } else { "start" },
            started_at: now.unix_ms.div_euclid(1_000),
            first_minute: now.minute(),
            clock_step_seconds: 0,
            has_ended: false,
        };
        let mut worker = Worker {
            path: file::path_in(config.folder()),
            clock: MinuteClock::new(now),
            begun: Arc::new(Begun::new(now.minute())),
            gauges: Gauges::default(),
            pending: Pending::new(first),
            store: None,
            failing: None,
            stats,
            is_first: true,
            config,
        };
        worker.read_counts();
        worker.read_gauges();
        worker
    }

    /// Opens the file, so that a fault is logged at the start and not a minute later.
    pub(super) fn open(&mut self) {
        let opened = self.ready().map(drop);
        self.note(opened);
        // Not at the creation, which the caller of the set-up waits for.
        self.config.prepare_reading();
        self.read_gauges();
    }

    /// Reads the gauges. Ends the minute if `now` is in another one.
    pub(super) fn tick(&mut self, now: Moment) {
        // Before the minute ends, so that it has the values at its end. The next one begins with them.
        self.config.prepare_reading();
        self.read_gauges();
        let minute = self.clock.minute;
        match self.clock.look(now) {
            Turn::Same => {}
            Turn::Next => {
                self.end_minute(minute);
                self.write();
            }
            turn => {
                self.end_minute(minute);
                let (cause, step) = match turn {
                    Turn::Clock(step) => ("clock", step),
                    _ => ("paused", 0),
                };
                self.pending.begin(cause, self.clock.minute, step);
                self.is_first = true;
                self.write();
            }
        }
    }

    /// Ends the current minute before it is over, and the run in order.
    pub(super) fn end(&mut self, now: Moment) {
        self.tick(now);
        self.end_minute(self.clock.minute);
        self.pending.end();
        self.write();
        // Closing moves the log's pages into the file.
        self.store = None;
    }

    fn read_gauges(&mut self) {
        let config = &self.config;
        let families =
            config.source().snapshot(|name, kind| kind == obs_metrics::Kind::Gauge && config.keeps(name));
        self.gauges.read(&families);
    }

    /// Returns the counts of the minute that has begun, for readers on other threads.
    pub(super) fn begun(&self) -> Arc<Begun> {
        self.begun.clone()
    }

    fn read_counts(&mut self) -> Vec<(Arc<super::minute::SeriesName>, super::minute::Change)> {
        self.begun.end(&self.config, self.clock.minute)
    }

    fn end_minute(&mut self, minute: i64) {
        let mut changes = self.read_counts();
        // All gauges once an hour, so that a reader finds each value within an hour before any time.
        let whole = std::mem::take(&mut self.is_first) || minute % HOUR == 0;
        changes.extend(self.gauges.end_minute(whole));
        let stretch = self.pending.current().number;
        self.pending.push(Minute { minute, stretch, changes });
        self.stats.lost.store(self.pending.lost(), Relaxed);
    }

    /// Writes the waiting minutes. If that fails they wait for the next minute.
    fn write(&mut self) {
        let mut done = self.write_waiting();
        while done.is_ok() {
            done = self.tidy();
            if self.pending.len() == 0 || done.is_err() {
                break;
            }
            done = self.write_waiting();
        }
        if self.pending.len() > 0 {
            self.stats.errors.fetch_add(1, Relaxed);
        }
        self.stats.waiting.store(self.pending.len() as u64, Relaxed);
        self.note(done);
    }

    /// Writes the first of the waiting minutes, as many as the room that is kept free in the file's bound is for.
    fn write_waiting(&mut self) -> Result<(), Fault> {
        self.ready()?;
        let Some(store) = &mut self.store else { return Ok(()) };
        let part = self.pending.part(store.part_bytes());
        let (stretches, minutes) = self.pending.first(part);
        let written = store.write(&stretches, minutes);
        if written.is_ok() {
            self.stats.written.fetch_add(part as u64, Relaxed);
            self.pending.written(part);
        }
        match &written {
            Err(Fault::Damaged(_)) => self.set_aside(),
            // SQLite's own limit, or the disk. Old minutes make room for new ones if they can.
            Err(Fault::Full) => self.keep_small().unwrap_or(()),
            _ => {}
        }
        written
    }

    /// Removes what is too old or too much.
    fn tidy(&mut self) -> Result<(), Fault> {
        let (now, first) = (self.clock.minute, self.pending.current().first_minute);
        let Some(store) = &mut self.store else { return Ok(()) };
        // Not in the first hour after a start or a change of the clock: a clock that is wrong, as before a machine without
        // a battery has asked for the time, would remove everything.
        let is_due = now % HOUR == 7 && now - first >= HOUR;
        let aged = if is_due { store.remove_old(now) } else { Ok(()) };
        let tidied = aged.and_then(|()| self.keep_small());
        if let Some(store) = &self.store {
            self.stats.bytes.store(store.bytes(), Relaxed);
        }
        if let Err(Fault::Damaged(_)) = &tidied {
            self.set_aside();
        }
        tidied
    }

    /// Removes the oldest minutes while the file is too large. Says so the first time.
    fn keep_small(&mut self) -> Result<(), Fault> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let removed = store.keep_small()?;
        if removed > 0 && self.stats.removed.fetch_add(removed, Relaxed) == 0 {
            let (days, bytes) = (self.config.kept_minutes() / 24 / HOUR, self.config.byte_limit());
            log::info!(
                "the history has its maximum of {bytes} bytes before it has {days} days; the oldest minutes make room \
                 for new ones"
            );
        }
        Ok(())
    }

    /// Opens the file if it is not open, or if its name leads to another one.
    fn ready(&mut self) -> Result<(), Fault> {
        if self.store.as_ref().is_some_and(Store::is_current) {
            return Ok(());
        }
        // Closed before another connection opens.
        self.store = None;
        let config = &self.config;
        let (kept, bytes) = (config.kept_minutes(), config.byte_limit());
        match Store::open(&self.path, kept, bytes, config.program_version()) {
            Ok(store) => self.store = Some(store),
            Err(fault) => {
                if matches!(fault, Fault::Damaged(_)) {
                    self.set_aside();
                }
                return Err(fault);
            }
        }
        Ok(())
    }

    /// Moves the damaged file aside. The next minute begins a new one.
    fn set_aside(&mut self) {
        self.store = None;
        match store::set_aside(&self.path) {
            Ok(aside) => {
                log::warn!(
                    "the history was damaged and begins anew; the damaged file is kept as {}",
                    aside.display()
                );
                self.stats.set_aside.fetch_add(1, Relaxed);
            }
            // Logged with the fault itself by the caller.
            Err(fault) => log::debug!("the damaged history cannot be moved aside: {fault}"),
        }
    }

    /// Logs the beginning and the end of a fault, each once.
    fn note(&mut self, done: Result<(), Fault>) {
        let path = self.path.display();
        match done {
            Ok(()) => {
                if self.failing.take().is_some() {
                    let lost = self.pending.lost();
                    log::info!(
                        "the history is written again to {path}; {lost} minutes were lost since the start"
                    );
                }
            }
            Err(fault) => {
                if !self.failing.as_ref().is_some_and(|known| known.is_like(&fault)) {
                    log::warn!(
                        "the history cannot be written to {path}, and tries again each minute: {fault}"
                    );
                }
                self.failing = Some(fault);
            }
        }
        self.stats.is_failing.store(self.failing.is_some(), Relaxed);
    }
}
