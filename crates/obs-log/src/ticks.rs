//! The time of a line, between two looks at the system's clock, by the processor's counter.
//!
//! A look costs about as much as the encoding of two fields. So for a millisecond after a look a thread adds what the
//! counter says to what the clock said. A clock that is set is therefore followed a millisecond later. The counter is
//! used where the operating system itself takes its time from it, which it does only if it is steady and the same on
//! all processors; elsewhere every line is a look.
//!
//! Reading the counter is unsafe in the standard library because it is an instruction of one kind of processor; this
//! module is compiled for that kind only, and the instruction touches no memory.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::clock::system_nanos;

/// How long a thread counts on.
const TRUSTED_NANOS: u64 = 1_000_000;
/// The rate of the counter is measured over at least this time: the microsecond by which the readings at its two ends may
/// be wrong is then as much of it as nobody sees in a time that is written in milliseconds.
const MEASURED_NANOS: u128 = 2_000_000;
/// A clock and the counter are read together if no more ticks than these lie between: else something came in between.
const TOGETHER: u64 = 3_000;

/// Nanoseconds of a tick, times 2^32; 0 as long as it is not known.
static RATE: AtomicU64 = AtomicU64::new(0);
static START: OnceLock<Option<(u64, Instant)>> = OnceLock::new();

/// A thread's last look at the clock.
#[derive(Debug, Default)]
pub(crate) struct LastLook {
    nanos: i64,
    ticks: u64,
    /// For so many ticks it is counted on.
    trusted: u64,
    rate: u64,
}

/// Begins to measure the rate of the counter.
pub(crate) fn prepare() {
    START.get_or_init(|| if is_steady() { read_together() } else { None });
}

impl LastLook {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    #[inline]
    pub(crate) fn now(&mut self) -> i64 {
        let passed = ticks().wrapping_sub(self.ticks);
        if passed < self.trusted { self.nanos + ((passed * self.rate) >> 32) as i64 } else { self.look() }
    }

    fn look(&mut self) -> i64 {
        self.nanos = system_nanos();
        self.ticks = ticks();
        self.rate = rate();
        self.trusted = (TRUSTED_NANOS << 32).checked_div(self.rate).unwrap_or(0);
        self.nanos
    }
}

/// 0 as long as it is not known.
fn rate() -> u64 {
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
    // A counter of less than 250 MHz would be none that a system keeps its time by.
    u64::try_from((now.duration_since(start).as_nanos() << 32) / ticks).ok().filter(|rate| *rate < 4 << 32)
}

fn read_together() -> Option<(u64, Instant)> {
    let before = ticks();
    let now = Instant::now();
    let after = ticks();
    (after.wrapping_sub(before) < TOGETHER).then_some((before, now))
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

    /// L2: the milliseconds of `ts` are those of the clock.
    #[test]
    fn l2_what_is_counted_agrees_with_the_clock() {
        const FAR: i64 = 4_000_000;
        prepare();
        thread::sleep(Duration::from_millis(25));
        let mut look = LastLook::default();
        for _ in 0..200_000 {
            let before = system_nanos();
            let counted = look.now();
            let after = system_nanos();
            assert!(before - FAR < counted && counted < after + FAR, "{before} {counted} {after}");
        }
    }

    #[test]
    fn a_counter_that_jumps_is_not_believed() {
        let mut look =
            LastLook { nanos: 1, ticks: ticks().wrapping_add(1 << 40), trusted: 1 << 20, rate: 1 << 32 };
        assert!(look.now() > 1);
    }
}
