//! A number that changes every millisecond while a thread polls often.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::thread::{self, Thread};
use std::time::Duration;

use super::run_delay;
use crate::clock::{self, Instant};

/// Duration of a tick. A poll that began just before a tick changed is measured as that much shorter, so it is a small part
/// of the shortest threshold that is of use.
pub(super) const PERIOD: Duration = Duration::from_millis(1);

/// No tick: the poll began at a known time.
pub(super) const EXACT: u64 = u64::MAX;

/// Number of the tick. Odd while the ticker sleeps, so a sleeping ticker never makes a poll look short.
// Only the ticker changes an even number. Another thread may change an odd one, which wakes the ticker.
static TICK: AtomicU64 = AtomicU64::new(1);

/// Tick in which a thread last asked for the ticker.
static WANTED: AtomicU64 = AtomicU64::new(0);

/// Ticks without a thread that asks, after which the ticker sleeps. Long enough to bridge the pauses of a busy node.
const IDLE_TICKS: u64 = 16;

/// Ends of the last ticks, in ticks of the clock.
static ENDS: [AtomicU64; KEPT] = [const { AtomicU64::new(0) }; KEPT];
/// The ends of an eighth of a second. Of a longer poll the tick in which it began does not matter.
const KEPT: usize = 128;

/// Nanoseconds in which the machine stood still, as far as the ticker saw it.
static STALLED_NS: AtomicU64 = AtomicU64::new(0);

/// Delay of a tick that is looked into. Timers are late by less on a machine that runs.
const LATE: Duration = Duration::from_millis(2);

static TICKER: OnceLock<Option<Thread>> = OnceLock::new();

/// Returns the current tick.
#[inline]
pub(super) fn tick() -> u64 {
    // Relaxed: a poll compares two readings of this number alone. `end_of` orders the rest.
    TICK.load(Ordering::Relaxed)
}

/// Asks the ticker to run for a while. Returns the current tick, or [`EXACT`] if there is no ticker.
pub(super) fn keep_running() -> u64 {
    let mut tick = tick();
    if is_asleep(tick) {
        let Some(ticker) = TICKER.get_or_init(start) else { return EXACT };
        // Relaxed: the number alone decides who wakes the ticker. `unpark` orders the rest.
        match TICK.compare_exchange(tick, tick + 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                tick += 1;
                ticker.unpark();
            }
            Err(current) if is_asleep(current) => return EXACT,
            Err(current) => tick = current,
        }
    }
    // Relaxed: a hint. A ticker that misses it sleeps, and the next poll wakes it.
    WANTED.store(tick, Ordering::Relaxed);
    tick
}

/// Returns when a tick ended that is not the current one. `None` if that was long ago.
pub(super) fn end_of(tick: u64) -> Option<Instant> {
    // Acquire: pairs with the `Release` in `run`, so that the end of each tick before this one is seen.
    fence(Ordering::Acquire);
    let age = (self::tick() - tick) / 2;
    (age < KEPT as u64 - 1).then(|| Instant::from_ticks(place(tick).load(Ordering::Relaxed)))
}

/// Returns how long the machine has stood still while the ticker ran, because its host had no processor for it.
///
/// A poll that saw the tick change sees the stall before that change too: see `end_of`.
pub(super) fn stalled() -> Duration {
    // Relaxed: see above.
    Duration::from_nanos(STALLED_NS.load(Ordering::Relaxed))
}

fn is_asleep(tick: u64) -> bool {
    tick % 2 == 1
}

fn place(tick: u64) -> &'static AtomicU64 {
    &ENDS[(tick / 2) as usize % KEPT]
}

/// Starts the thread. `None` if the system starts no further one: every poll is measured by the clock then.
#[cold]
fn start() -> Option<Thread> {
    let thread = thread::Builder::new().name("obs-trace-ticker".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(run).ok().map(|handle| handle.thread().clone())
}

/// The thread calls no code of others.
const STACK_BYTES: usize = 64 << 10;

fn run() {
    loop {
        let tick = tick();
        if is_asleep(tick) {
            thread::park();
            continue;
        }
        let now = sleep_a_period();
        // Relaxed: published by the number.
        place(tick).store(clock::ticks(now), Ordering::Relaxed);
        let is_wanted = tick.saturating_sub(WANTED.load(Ordering::Relaxed)) <= 2 * IDLE_TICKS;
        // Release: see `end_of`.
        TICK.store(tick + if is_wanted { 2 } else { 1 }, Ordering::Release);
    }
}

/// Sleeps, and notes a stall of the machine meanwhile. Returns the time of now.
fn sleep_a_period() -> Instant {
    let (began, waited) = (clock::now(), run_delay::of_this_thread());
    thread::sleep(PERIOD);
    let now = clock::now();
    let late = clock::between(began, now).saturating_sub(PERIOD);
    // A ticker that waited for a processor tells nothing about the other threads.
    if late > LATE
        && let (Some(before), Some(after)) = (waited, run_delay::of_this_thread())
    {
        let stalled = late.saturating_sub(after.saturating_sub(before));
        // Relaxed: published by the number of the tick.
        STALLED_NS.fetch_add(stalled.as_nanos() as u64, Ordering::Relaxed);
    }
    now
}
