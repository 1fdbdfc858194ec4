//! Bands, which are published in place of numbers.

/// Calls a minute.
pub(crate) const CALLS: &[u32] = &[0, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
/// Failed calls in a hundred.
pub(crate) const PERCENT: &[u32] = &[0, 1, 5, 10, 25, 50];
/// Milliseconds, from a local look-up to a long generation.
// Wider than the buckets of a share, so that the edge of a bucket does not show.
pub(crate) const MILLISECONDS: &[u32] = &[0, 10, 50, 100, 250, 1_000, 2_500, 10_000, 30_000, 60_000];

/// Percent of a processor's time.
pub(crate) const LOAD: &[u32] = &[0, 10, 25, 50, 75, 90];
/// Megabytes of memory. Sizes of memory modules are powers of two, and none is near an edge.
pub(crate) const MEGABYTES: &[u32] =
    &[0, 300, 600, 1_200, 2_500, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000];
/// Gigabytes of a disk.
pub(crate) const GIGABYTES: &[u32] = &[0, 10, 20, 40, 80, 150, 300, 600, 1_200, 2_500, 5_000, 10_000];
/// Seconds of a node's run: minutes, hours, days, weeks.
pub(crate) const SECONDS: &[u32] = &[0, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000];

/// Range from a lower bound up to an upper one, which is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    pub(crate) lower: u32,
    /// `None` for the last band.
    upper: Option<u32>,
}

impl Band {
    /// Returns the band of `value` between `bounds`, which are in ascending order.
    pub(crate) fn of(value: f64, bounds: &[u32]) -> Band {
        let above = bounds.iter().position(|bound| value < f64::from(*bound));
        let lower = above.unwrap_or(bounds.len()).saturating_sub(1);
        Band { lower: bounds.get(lower).copied().unwrap_or(0), upper: bounds.get(lower + 1).copied() }
    }
}

impl std::fmt::Display for Band {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.upper {
            Some(upper) => write!(f, "{}-{upper}", self.lower),
            None => write!(f, "{}+", self.lower),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_band_that_begins_at_or_below_it() {
        let of = |value| Band::of(value, &[0, 5, 10, 20, 50]).to_string();
        let bands = [-1.0, 0.0, 4.9, 5.0, 17.0, 20.0, 50.0, f64::INFINITY].map(of);
        assert_eq!(bands, ["0-5", "0-5", "0-5", "5-10", "10-20", "20-50", "50+", "50+"]);
        assert_eq!(of(f64::NAN), "50+");
    }
}
