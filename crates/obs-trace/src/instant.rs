//! Moments of the processor's time stamp counter, or of the system's monotonic clock where the counter is not reliable.
//!
//! A read of the counter costs a third of a read of the clock. The system does not tell how long a tick is, so it is measured
//! from the first use on, while the program does other things. A conversion in the first milliseconds waits for that.
//!
//! Reading the counter is unsafe in the standard library, because it is an instruction of one kind of processor. It is
//! compiled for that kind only, and touches no memory. The run with AddressSanitizer covers it in the tests of the history; Miri
//! knows no counter and reads the clock.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use std::{thread, time};

/// Number of readings of which the best one counts. An interrupt in between spoils one.
const READINGS: usize = 16;

/// Shortest time over which a tick is measured. The readings at its ends are right to some tens of nanoseconds, so that a
/// duration is right to a hundred thousandth.
const MEASURED: Duration = Duration::from_millis(5);

/// What moments are read from.
static SOURCE: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const COUNTER: u8 = 1;
const CLOCK: u8 = 2;

/// First readings of counter and clock.
static FIRST: OnceLock<Reading> = OnceLock::new();

/// Bits of the nanoseconds of a tick. 0 until they are known.
static NANOS_PER_TICK: AtomicU64 = AtomicU64::new(0);

/// Point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(u64);

impl Instant {
    /// A moment before all others.
    pub(crate) const ZERO: Instant = Instant(0);

    #[inline]
    pub(crate) fn now() -> Instant {
        // Relaxed: the source stands alone. A thread that does not see it yet determines it again.
        Instant(if SOURCE.load(Ordering::Relaxed) == COUNTER { ticks() } else { read_elsewhere() })
    }

    #[inline]
    pub(crate) const fn from_ticks(ticks: u64) -> Instant {
        Instant(ticks)
    }

    #[inline]
    pub(crate) const fn ticks(self) -> u64 {
        self.0
    }

    /// Returns the time since an earlier moment. `None` if it is a later one.
    pub(crate) fn checked_duration_since(self, earlier: Instant) -> Option<Duration> {
        self.nanos_since(earlier).map(Duration::from_nanos)
    }

    /// Returns the nanoseconds since an earlier moment. `None` if it is a later one.
    #[inline]
    pub(crate) fn nanos_since(self, earlier: Instant) -> Option<u64> {
        let ticks = self.0.checked_sub(earlier.0)?;
        Some((ticks as f64 * nanos_per_tick()) as u64)
    }

    /// Returns the moment after a duration. `None` beyond the end of the counter.
    pub(crate) fn checked_add(self, duration: Duration) -> Option<Instant> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add((nanos as f64 / nanos_per_tick()) as u64).map(Instant)
    }
}

/// Begins to measure, so that nothing has to wait for it later.
pub(crate) fn prepare() {
    let _ = Instant::now();
}

/// Returns the nanoseconds of a tick. They never change. In the first milliseconds of a process this waits until they can be
/// measured.
#[inline]
pub(crate) fn nanos_per_tick() -> f64 {
    // Relaxed: the number stands alone.
    match NANOS_PER_TICK.load(Ordering::Relaxed) {
        0 => measured(),
        bits => f64::from_bits(bits),
    }
}

#[cold]
fn measured() -> f64 {
    let first = first();
    let now = loop {
        let now = Reading::best();
        match MEASURED.checked_sub(now.at.saturating_duration_since(first.at)) {
            None | Some(Duration::ZERO) => break now,
            Some(rest) => thread::sleep(rest),
        }
    };
    let nanos = (now.at - first.at).as_nanos() as f64 / now.ticks.saturating_sub(first.ticks).max(1) as f64;
    let nanos = if SOURCE.load(Ordering::Relaxed) == COUNTER { nanos } else { 1.0 };
    // One value for all threads, as a duration must be the same each time that it is computed.
    match NANOS_PER_TICK.compare_exchange(0, nanos.to_bits(), Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => nanos,
        Err(bits) => f64::from_bits(bits),
    }
}

/// Reads the clock, or the counter for the first time.
#[cold]
fn read_elsewhere() -> u64 {
    let first = first();
    if SOURCE.load(Ordering::Relaxed) == COUNTER {
        return ticks();
    }
    // More than zero, which is before all moments.
    first.at.elapsed().as_nanos() as u64 + 1
}

fn first() -> &'static Reading {
    FIRST.get_or_init(|| {
        SOURCE.store(if is_reliable() { COUNTER } else { CLOCK }, Ordering::Relaxed);
        Reading::best()
    })
}

/// Counter and clock at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    ticks: u64,
    at: time::Instant,
}

impl Reading {
    fn best() -> Reading {
        let read = |_| {
            let before = ticks();
            let at = time::Instant::now();
            (ticks().wrapping_sub(before), Reading { ticks: before, at })
        };
        let best = (0..READINGS).map(read).min_by_key(|(between, _)| *between);
        best.map_or_else(|| Reading { ticks: 0, at: time::Instant::now() }, |(_, reading)| reading)
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
#[inline]
fn ticks() -> u64 {
    // SAFETY: every processor of this kind has the instruction, and it touches no memory.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(miri))))]
#[inline]
fn ticks() -> u64 {
    0
}

/// Returns whether the counter is steady and the same on all processors: the processor says so, or the system keeps its own
/// time by it.
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
fn is_reliable() -> bool {
    use std::arch::x86_64::__cpuid;

    const FEATURES: u32 = 0x8000_0007;
    const INVARIANT: u32 = 1 << 8;
    let is_invariant = __cpuid(0x8000_0000).eax >= FEATURES && __cpuid(FEATURES).edx & INVARIANT != 0;
    let source = || std::fs::read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    is_invariant || source().is_ok_and(|source| source == b"tsc\n")
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(miri))))]
fn is_reliable() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_follow_the_clock_of_the_system() {
        let (ours, theirs) = (Instant::now(), time::Instant::now());
        assert!(ours > Instant::ZERO);
        thread::sleep(Duration::from_millis(20));
        let theirs = theirs.elapsed();
        let ours = Instant::now().checked_duration_since(ours).unwrap();
        // Ours has begun before theirs and ends after it.
        let slack = theirs / 1_000;
        assert!(ours + slack >= theirs, "{ours:?} {theirs:?}");
    }

    #[test]
    fn a_tick_is_as_long_each_time() {
        let readings: Vec<_> = (0..4).map(|_| thread::spawn(nanos_per_tick)).collect();
        let readings: Vec<_> = readings.into_iter().map(|thread| thread.join().unwrap().to_bits()).collect();
        assert_eq!(readings, [nanos_per_tick().to_bits(); 4]);
    }

    #[test]
    fn moments_of_all_threads_are_in_order() {
        let mut last = Instant::now();
        for _ in 0..100 {
            let next = thread::spawn(Instant::now).join().unwrap();
            assert!(next >= last, "{next:?} {last:?}");
            last = next;
        }
    }

    #[test]
    fn the_ends_of_the_counter_are_no_moment() {
        let last = Instant::from_ticks(u64::MAX);
        assert_eq!(last.checked_add(Duration::from_secs(1)), None);
        assert_eq!(Instant::now().checked_add(Duration::MAX), None);
        assert_eq!(Instant::ZERO.checked_duration_since(last), None);
    }
}
