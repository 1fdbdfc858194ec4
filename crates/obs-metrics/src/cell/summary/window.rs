//! Rolling window of values in log-linear buckets, for quantiles within 2 %.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Five complete minutes and the one under way.
const SLICES: usize = 6;
const SLICE_SECONDS: u64 = 60;

/// Equal steps of an octave. The middle of a step is at most 1/64 off any value in it, which leaves room for the 2 % that
/// the crate documents.
const STEPS: usize = 32;

/// Exponent of the lowest octave. Values in milliseconds below 2⁻¹², a quarter of a microsecond, count as 0.
const LOWEST_OCTAVE: i32 = -12;

/// Number of octaves. Values beyond 2²⁸, three days in milliseconds, count in the highest step.
const OCTAVES: usize = 40;

/// Slices that are used in turn. The steps of an octave are allocated when a value first falls among them.
#[derive(Debug)]
pub(crate) struct Window {
    slices: [Slice; SLICES],
    /// Held by the thread that empties a slice, so that one thread does.
    turning: Mutex<()>,
}

#[derive(Debug)]
struct Slice {
    /// Number of the minute that it holds, plus one. 0 before its first use.
    minute: AtomicU64,
    octaves: OnceLock<Box<[Octave; OCTAVES]>>,
    /// Number of values that count as 0: those of zero and below, and those under the lowest octave.
    low: AtomicU32,
}

type Octave = OnceLock<Box<[AtomicU32; STEPS]>>;

impl Window {
    pub(crate) fn new() -> Self {
        Self { slices: std::array::from_fn(|_| Slice::new()), turning: Mutex::new(()) }
    }

    pub(crate) fn record(&self, seconds: u64, value: f64) {
        // Plus one, because 0 marks a slice that was never used.
        let minute = seconds / SLICE_SECONDS + 1;
        let slice = &self.slices[(minute % SLICES as u64) as usize];
        // Acquire pairs with the release store in `turn`: the value is counted after the slice was emptied.
        if slice.minute.load(Ordering::Acquire) != minute {
            self.turn(slice, minute);
        }
        slice.count(value);
    }

    /// Empties a slice for its next minute.
    ///
    /// A value that another thread is adding to the old minute may be lost or land in the new one. For quantiles that is
    /// one value among many; sum and count are kept apart and stay exact.
    #[cold]
    fn turn(&self, slice: &Slice, minute: u64) {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        // Relaxed: the lock orders the threads that turn. The counts are published by the store of the minute.
        if slice.minute.load(Ordering::Relaxed) < minute {
            slice.cells().for_each(|(_, count)| count.store(0, Ordering::Relaxed));
            slice.minute.store(minute, Ordering::Release);
        }
    }

    /// Returns the values that these shares (0 to 1) of the values in the window do not exceed. NaN for an empty window.
    pub(crate) fn quantiles<const N: usize>(&self, seconds: u64, shares: [f64; N]) -> [f64; N] {
        let counts = self.counts(seconds / SLICE_SECONDS + 1);
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        shares.map(|share| value_at(&counts, (share * total as f64).ceil().max(1.0) as u64))
    }

    /// Returns the value and the count of every step that is not empty, in ascending order.
    fn counts(&self, minute: u64) -> Vec<(f64, u64)> {
        let mut counts: Vec<(f64, u64)> = Vec::new();
        let oldest = minute.saturating_sub(SLICES as u64 - 1).max(1);
        for slice in &self.slices {
            // Acquire pairs with the release store in `turn`: no count of an older minute is seen under this one.
            if !(oldest..=minute).contains(&slice.minute.load(Ordering::Acquire)) {
                continue;
            }
            // Relaxed: each count stands alone, and quantiles need no moment that all share.
            let used = slice.cells().map(|(value, count)| (value, u64::from(count.load(Ordering::Relaxed))));
            counts.extend(used.filter(|(_, count)| *count > 0));
        }
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        counts
    }
}

fn value_at(counts: &[(f64, u64)], rank: u64) -> f64 {
    let mut seen = 0;
    let found = counts.iter().find(|(_, count)| {
        seen += count;
        seen >= rank
    });
    // The rank may exceed the counts by a rounding error; then it means the largest value.
    found.or(counts.last()).map_or(f64::NAN, |(value, _)| *value)
}

impl Slice {
    fn new() -> Self {
        Self { minute: AtomicU64::new(0), octaves: OnceLock::new(), low: AtomicU32::new(0) }
    }

    fn count(&self, value: f64) {
        let Some((octave, step)) = octave_and_step(value) else {
            // Relaxed, as below: the number stands alone.
            self.low.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let octaves = self.octaves.get_or_init(|| Box::new([const { OnceLock::new() }; OCTAVES]));
        let steps = octaves[octave].get_or_init(|| Box::new([const { AtomicU32::new(0) }; STEPS]));
        steps[step].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns every count that was allocated, with the value that it stands for.
    fn cells(&self) -> impl Iterator<Item = (f64, &AtomicU32)> {
        let octaves = self.octaves.get().into_iter().flat_map(|octaves| octaves.iter().enumerate());
        let made = octaves.filter_map(|(octave, steps)| steps.get().map(|steps| (octave, steps)));
        let steps = made.flat_map(|(octave, steps)| {
            steps.iter().enumerate().map(move |(step, count)| (middle(octave, step), count))
        });
        [(0.0, &self.low)].into_iter().chain(steps)
    }
}

/// Returns octave and step of a value: the exponent and the top five bits of the fraction. Reading the bits is faster than
/// a logarithm. `None` stands for values that count as 0.
fn octave_and_step(value: f64) -> Option<(usize, usize)> {
    let bits = value.to_bits();
    // An `f64` stores its exponent plus 1023 in the bits 52 to 62.
    let octave = ((bits >> 52) & 0x7ff) as i32 - 1023 - LOWEST_OCTAVE;
    if value.is_sign_negative() || octave < 0 {
        return None;
    }
    match octave as usize {
        octave if octave < OCTAVES => Some((octave, ((bits >> 47) & 31) as usize)),
        _ => Some((OCTAVES - 1, STEPS - 1)),
    }
}

/// Returns the middle of a step.
fn middle(octave: usize, step: usize) -> f64 {
    let start = 2f64.powi(octave as i32 + LOWEST_OCTAVE);
    start * (1.0 + (step as f64 + 0.5) / STEPS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, values: Vec<f64>) {
        let window = Window::new();
        values.iter().for_each(|value| window.record(0, *value));
        compare(name, &window, 0, values);
    }

    /// Compares the window's quantiles with those of the sorted samples.
    fn compare(name: &str, window: &Window, second: u64, mut values: Vec<f64>) {
        values.sort_by(f64::total_cmp);
        let shares = [0.5, 0.9, 0.95, 0.99];
        for (share, found) in shares.into_iter().zip(window.quantiles(second, shares)) {
            let exact = values[((share * values.len() as f64).ceil() as usize).max(1) - 1];
            assert!((found - exact).abs() <= 0.02 * exact, "{name}: {share} is {exact}, found {found}");
        }
    }

    /// Returns a generator of numbers between 0 and 1 with a fixed seed.
    fn random() -> impl FnMut() -> f64 {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        }
    }

    #[test]
    fn quantiles_are_within_two_percent_of_exact() {
        let mut random = random();
        check("uniform", (0..20_000).map(|_| 0.5 + 100.0 * random()).collect());
        check("exponential", (0..20_000).map(|_| 0.01 - 30.0 * (1.0 - random()).ln()).collect());
        check("pareto", (0..20_000).map(|_| (1.0 - random()).powf(-1.2)).collect());
        check(
            "two humps",
            (0..20_000)
                .map(|_| if random() < 0.93 { 1.0 + random() } else { 2e4 + 1e4 * random() })
                .collect(),
        );
        check("one value", vec![12.0]);
        check("constant", vec![3.7; 100]);
    }

    /// The distribution drifts for twenty minutes. The quantiles are always those of the minute under way and the five
    /// before it.
    #[test]
    fn quantiles_follow_the_rolling_window() {
        let window = Window::new();
        let mut samples: Vec<(u64, f64)> = Vec::new();
        let mut random = random();
        for second in 0..1200 {
            for _ in 0..20 {
                let drift = 1.0 + second as f64 / 100.0;
                let value = if second % 400 < 200 { drift * random() } else { 50.0 - drift * random().ln() };
                window.record(second, value);
                samples.push((second, value));
            }
            if second % 37 != 0 {
                continue;
            }
            let oldest = (second / SLICE_SECONDS).saturating_sub(SLICES as u64 - 1) * SLICE_SECONDS;
            let held = samples.iter().filter(|(at, _)| *at >= oldest).map(|(_, value)| *value).collect();
            compare(&format!("at {second} s"), &window, second, held);
        }
    }

    #[test]
    fn a_window_is_nan_again_when_its_values_are_too_old() {
        let window = Window::new();
        assert!(window.quantiles(0, [0.5])[0].is_nan());
        window.record(10, 5.0);
        assert!((window.quantiles(10, [0.5])[0] - 5.0).abs() < 0.1);
        assert!(!window.quantiles(359, [0.5])[0].is_nan());
        assert!(window.quantiles(360, [0.5])[0].is_nan());
        window.record(370, 80.0);
        assert!((window.quantiles(370, [0.5])[0] - 80.0).abs() < 1.6);
    }

    #[test]
    fn values_outside_the_octaves_stay_in_range() {
        let window = Window::new();
        for value in [0.0, -0.0, -3.0, 1e-300, f64::MIN_POSITIVE, f64::INFINITY, 1e300] {
            window.record(0, value);
        }
        assert_eq!(window.quantiles(0, [0.5])[0], 0.0);
        assert!(window.quantiles(0, [1.0])[0].is_finite());
    }
}
