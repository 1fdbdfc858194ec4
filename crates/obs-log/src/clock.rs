//! Clock of the lines: the system's, read through the processor's counter, or one that a test sets.
//!
//! A read of the system's clock costs about as much as the encoding of two fields. So for a millisecond after a read, a
//! thread adds what the processor's counter says to what the clock said. When the system's clock is set, lines follow a
//! millisecond later. The counter is used only where the operating system itself keeps its time by it, because it is steady
//! and the same on all processors there. Elsewhere every line reads the clock.
//!
//! Reading the counter is unsafe in the standard library, because it is an instruction of one kind of processor. The read
//! is compiled for that kind only, and the instruction touches no memory.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a day of UTC.
pub(crate) const DAY_NANOS: i64 = 86_400 * 1_000_000_000;

/// Nanoseconds for which a thread trusts the counter after it has read the clock. Lines show milliseconds.
const TRUSTED_NANOS: u64 = 1_000_000;

/// Shortest time in nanoseconds over which the rate of the counter is measured. The readings at its ends may be wrong by a
/// microsecond. Over this time that is an error of 0.05 %, which does not show in a millisecond.
const MEASURED_NANOS: u128 = 2_000_000;

/// Ticks between two reads of the counter around a read of the clock, beyond which something came in between.
const MAX_READ_TICKS: u64 = 3_000;

/// Slowest counter in nanoseconds a tick, times 2^32: 250 MHz. No system keeps its time by a slower one.
const MAX_RATE: u64 = 4 << 32;

/// Nanoseconds a tick, times 2^32. 0 until it is known.
static RATE: AtomicU64 = AtomicU64::new(0);

/// First reading of the counter with the clock. `None` where the counter is not used.
static START: OnceLock<Option<(u64, Instant)>> = OnceLock::new();

/// Source of the time of a line. A test's own clock makes midnight, a leap day and a clock that goes backwards exact.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    #[cfg(test)]
    Manual(std::sync::Arc<std::sync::atomic::AtomicI64>),
}

/// Last reading of the clock by a thread.
#[derive(Debug, Default)]
pub(crate) struct LastReading {
    nanos: i64,
    ticks: u64,
    /// Ticks for which the counter is trusted after the reading.
    trusted: u64,
    rate: u64,
}

impl Clock {
    /// Returns the time for a line of the thread that has made the reading `last`.
    #[inline]
    pub(crate) fn now_after(&self, last: &mut LastReading) -> i64 {
        match self {
            Clock::System => last.now(),
            #[cfg(test)]
            Clock::Manual(_) => self.now(),
        }
    }

    /// Returns nanoseconds since 1970-01-01T00:00:00Z. A clock before that reads as 1970.
    pub(crate) fn now(&self) -> i64 {
        match self {
            Clock::System => system_nanos(),
            #[cfg(test)]
            Clock::Manual(nanos) => nanos.load(Ordering::SeqCst),
        }
    }
}

impl LastReading {
    #[inline]
    fn now(&mut self) -> i64 {
        // Wrapping: a counter that jumped back gives a huge difference, which is not trusted.
        let passed = ticks().wrapping_sub(self.ticks);
        if passed < self.trusted { self.nanos + ((passed * self.rate) >> 32) as i64 } else { self.read() }
    }

    fn read(&mut self) -> i64 {
        self.nanos = system_nanos();
        self.ticks = ticks();
        self.rate = rate();
        self.trusted = (TRUSTED_NANOS << 32).checked_div(self.rate).unwrap_or(0);
        self.nanos
    }
}

/// Returns the day of a time, counted from 1970-01-01.
pub(crate) fn day_of(nanos: i64) -> i32 {
    // At most ±106 751: an i64 of nanoseconds holds 584 years.
    nanos.div_euclid(DAY_NANOS) as i32
}

/// Begins to measure the rate of the counter.
pub(crate) fn prepare() {
    START.get_or_init(|| if is_steady() { read_together() } else { None });
}

fn system_nanos() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| {
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(since.subsec_nanos()))
    })
}

/// Returns the rate of the counter, or 0 while it is not known.
fn rate() -> u64 {
    // Relaxed: the rate stands alone, and threads that measure it at once get nearly the same.
    match RATE.load(Ordering::Relaxed) {
        0 => measured().map_or(0, |rate| {
            RATE.store(rate, Ordering::Relaxed);
            rate
        }),
        rate => rate,
    }
}

fn measured() -> Option<u64> {
    let (first, start) = START.get().copied().flatten()?;
    let nanos = start.elapsed().as_nanos();
    if nanos < MEASURED_NANOS {
        return None;
    }
    let (last, now) = read_together()?;
    let ticks = u128::from(last.checked_sub(first).filter(|ticks| *ticks > 0)?);
    u64::try_from((now.duration_since(start).as_nanos() << 32) / ticks).ok().filter(|rate| *rate < MAX_RATE)
}

/// Reads the counter and the clock. `None` if the thread was interrupted in between.
fn read_together() -> Option<(u64, Instant)> {
    let before = ticks();
    let now = Instant::now();
    let after = ticks();
    (after.wrapping_sub(before) < MAX_READ_TICKS).then_some((before, now))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
fn is_steady() -> bool {
    let source = std::fs::read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    source.is_ok_and(|source| source == b"tsc\n")
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
#[inline]
fn ticks() -> u64 {
    // SAFETY: every processor of this kind has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(miri))))]
fn is_steady() -> bool {
    false
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(miri))))]
fn ticks() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn the_counted_time_agrees_with_the_clock() {
        const TOLERANCE_NANOS: i64 = 4_000_000;
        prepare();
        thread::sleep(Duration::from_millis(25));
        let mut last = LastReading::default();
        for _ in 0..200_000 {
            let before = system_nanos();
            let counted = last.now();
            let after = system_nanos();
            let expected = before - TOLERANCE_NANOS..after + TOLERANCE_NANOS;
            assert!(expected.contains(&counted), "{before} {counted} {after}");
        }
    }

    #[test]
    fn a_counter_that_jumps_is_not_trusted() {
        let ticks = ticks().wrapping_add(1 << 40);
        let mut last = LastReading { nanos: 1, ticks, trusted: 1 << 20, rate: 1 << 32 };
        assert!(last.now() > 1);
    }
}
