//! Search of the day files, the newest lines first.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use obs_console::Failure;
use obs_console::api::{LogCount, LogLines, LogQuery};
use obs_log::reader::{LineTime, Look, Reader};

use super::filter::{Admitted, Filter};
use super::line;
use super::unreadable::unreadable;
use crate::console::clock;

/// Longest search. A person waits for it.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Bytes that are searched at most, so that the page cache of a small machine is not filled with old days.
const MAX_SEARCHED: u64 = 512 << 20;
/// Maximum number of lines in an answer.
const MAX_LINES: usize = 10_000;
/// Maximum bytes of the lines in an answer. One line may have a backtrace.
const MAX_BYTES: usize = 8 << 20;
/// Number of lines between two looks at the clock.
const LINES_A_LOOK: u64 = 512;
/// Number of steps of the chart, about.
const STEPS: u64 = 60;
/// Maximum number of steps. A hostile time of a line makes no more.
const MAX_STEPS: usize = 1_000;

/// Returns the newest lines that match, and the number of all over time.
pub(super) fn search(dir: &Path, query: &LogQuery, filter: &Filter) -> Result<LogLines, Failure> {
    let oldest = Reader::new(dir).first_time().map_err(|error| unreadable(dir, &error))?;
    let step = step_seconds(query, oldest);
    let limit = query.n.min(MAX_LINES);
    let (mut whole, mut packed) = (Matches::new(limit, step), Matches::new(limit, step));
    let mut budget = Budget { begun: Instant::now(), lines: 0, bytes: 0 };
    let (mut reached, mut is_cut_off) = (None, false);
    let looked = Reader::of(dir, filter.window.clone()).look_back(|look| {
        match look {
            Look::Line(line) => {
                reached = time_of(line).or(reached);
                budget.pass(line);
                if let Some(admitted) = filter.admits(line) {
                    whole.add(line, admitted, true);
                }
            }
            Look::Packed(line) => {
                budget.pass(line);
                if let Some(admitted) = filter.admits(line) {
                    packed.add(line, admitted, false);
                }
            }
            // Only a file whose lines were all seen counts.
            Look::PackedEnd => {
                let found = std::mem::replace(&mut packed, Matches::new(limit, step));
                reached = found.first.or(reached);
                whole.take(found);
            }
        }
        is_cut_off = budget.is_spent();
        !is_cut_off
    });
    looked.map_err(|error| unreadable(dir, &error))?;
    let since = query.since.map(clock::at);
    let searched_since =
        if is_cut_off { reached.map(text) } else { since.map(clock::text).or(oldest.map(text)) };
    Ok(LogLines {
        counts: whole.counts(),
        step_seconds: u32::try_from(step).unwrap_or(u32::MAX),
        matched: whole.matched,
        lines: whole.lines.into_values().filter_map(|line| line::shown(&line)).collect(),
        searched_since,
        oldest: oldest.map(text),
    })
}

fn text(time: LineTime) -> String {
    time.text().to_owned()
}

fn time_of(line: &[u8]) -> Option<LineTime> {
    Some(obs_log::reader::Head::of(line)?.time)
}

/// Returns the length of a step of the chart.
fn step_seconds(query: &LogQuery, oldest: Option<LineTime>) -> u64 {
    let now = clock::seconds(SystemTime::now());
    let first = query.since.or(oldest.and_then(second)).unwrap_or(now);
    let length = query.until.unwrap_or(now).saturating_sub(first);
    const LENGTHS: [u64; 15] =
        [1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];
    LENGTHS.into_iter().find(|step| length / step <= STEPS).unwrap_or(86_400)
}

fn second(time: LineTime) -> Option<u64> {
    u64::try_from(time.instant()?.timestamp()).ok()
}

/// Rest of the work that a search may do.
struct Budget {
    begun: Instant,
    lines: u64,
    bytes: u64,
}

impl Budget {
    fn pass(&mut self, line: &[u8]) {
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
    }

    fn is_spent(&self) -> bool {
        self.bytes > MAX_SEARCHED
            || self.lines.is_multiple_of(LINES_A_LOOK) && self.begun.elapsed() > PATIENCE
    }
}

/// Lines that match: the newest of them, and the number of all by step.
struct Matches {
    limit: usize,
    step: u64,
    matched: u64,
    bytes: usize,
    /// Lines by their times, and lines of one time in their order.
    lines: BTreeMap<(LineTime, i64), Vec<u8>>,
    next: i64,
    counts: BTreeMap<u64, LogCount>,
    first: Option<LineTime>,
}

impl Matches {
    fn new(limit: usize, step: u64) -> Matches {
        let (lines, counts) = (BTreeMap::new(), BTreeMap::new());
        Matches { limit, step, matched: 0, bytes: 0, lines, next: 0, counts, first: None }
    }

    fn add(&mut self, line: &[u8], admitted: Admitted, is_backwards: bool) {
        self.matched += 1;
        self.first = self.first.min(Some(admitted.time)).or(Some(admitted.time));
        self.count(admitted);
        self.next += if is_backwards { -1 } else { 1 };
        let key = (admitted.time, self.next);
        let is_full = self.lines.len() >= self.limit || self.bytes >= MAX_BYTES;
        if is_full && self.lines.first_key_value().is_none_or(|(first, _)| key < *first) {
            return;
        }
        self.bytes += line.len();
        self.lines.insert(key, line.to_vec());
        self.bound();
    }

    fn count(&mut self, Admitted { time, is_fault }: Admitted) {
        let Some(second) = second(time) else { return };
        let t = second - second % self.step;
        if self.counts.len() < MAX_STEPS || self.counts.contains_key(&t) {
            let count = self.counts.entry(t).or_insert(LogCount { t, lines: 0, faults: 0 });
            count.lines += 1;
            count.faults += u64::from(is_fault);
        }
    }

    /// Removes the oldest lines that are too many.
    fn bound(&mut self) {
        while self.lines.len() > self.limit || self.bytes > MAX_BYTES && self.lines.len() > 1 {
            let Some((_, line)) = self.lines.pop_first() else { return };
            self.bytes -= line.len();
        }
    }

    /// Takes over the lines of an older file.
    fn take(&mut self, older: Matches) {
        self.matched += older.matched;
        for (t, more) in older.counts {
            let count = self.counts.entry(t).or_insert(LogCount { t, lines: 0, faults: 0 });
            count.lines += more.lines;
            count.faults += more.faults;
        }
        // Before all lines of the same time that were found so far.
        let before = self.next - older.next.max(0) - 1;
        for ((time, at), line) in older.lines {
            self.bytes += line.len();
            self.lines.insert((time, before + at), line);
        }
        self.next = before;
        self.bound();
    }

    fn counts(&self) -> Vec<LogCount> {
        self.counts.values().copied().collect()
    }
}
