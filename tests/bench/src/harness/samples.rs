//! Values of all rounds.

use std::collections::BTreeMap;

use super::Scale;

/// All values of a run.
#[derive(Clone)]
pub(crate) struct Results {
    pub(crate) rounds: usize,
    pub(crate) scale: Scale,
    pub(crate) seconds: f64,
    samples: BTreeMap<(String, String), Samples>,
}

/// The values of one contender in one column, in the order of the rounds.
#[derive(Clone, Default)]
pub(crate) struct Samples(pub(crate) Vec<f64>);

impl Results {
    pub(crate) fn new(rounds: usize, scale: Scale) -> Results {
        Results { rounds, scale, seconds: 0.0, samples: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, contender: &str, column: &str, value: f64) {
        self.samples.entry((contender.to_owned(), column.to_owned())).or_default().0.push(value);
    }

    pub(crate) fn get(&self, contender: &str, column: &str) -> Option<&Samples> {
        self.samples.get(&(contender.to_owned(), column.to_owned()))
    }

    /// Every contender and column with its values.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str, &Samples)> {
        self.samples
            .iter()
            .map(|((contender, column), samples)| (contender.as_str(), column.as_str(), samples))
    }
}

impl Samples {
    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    pub(crate) fn sum(&self) -> f64 {
        self.0.iter().sum()
    }

    pub(crate) fn median(&self) -> f64 {
        median(self.0.clone())
    }
}

/// Returns the median of `values`.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_found_whatever_the_order() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
