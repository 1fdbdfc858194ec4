//! Targets: required ratios between our figure and those of others in the same run.

use std::fmt;

use super::{Area, Results, Samples};

/// Statistic over a measurement's rounds.
#[derive(Clone, Copy)]
pub(crate) enum Judged {
    /// Best round, for a time on one thread. Other work on the machine only adds to it.
    Minimum,
    /// Best round, for a rate.
    Maximum,
    /// Median round, for contended threads.
    Median,
}

impl Judged {
    /// Returns the statistic for a time on `threads` threads.
    pub(crate) fn time_on(threads: usize) -> Judged {
        if threads == 1 { Judged::Minimum } else { Judged::Median }
    }

    /// Returns the statistic for a rate.
    pub(crate) fn rate_on(threads: usize) -> Judged {
        if threads == 1 { Judged::Maximum } else { Judged::Median }
    }

    pub(crate) fn of(self, samples: &Samples) -> f64 {
        match self {
            Judged::Minimum => samples.min(),
            Judged::Maximum => samples.max(),
            Judged::Median => samples.median(),
        }
    }
}

/// Bound of a target.
pub(crate) enum Bound {
    /// At most this many times the lowest of the others.
    AtMost(f64),
    /// At least this many times the highest of the others.
    AtLeast(f64),
}

/// One promise.
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) judged: Judged,
    pub(crate) ours: &'static str,
    pub(crate) column: String,
    pub(crate) bound: Bound,
    /// Contenders and their column. Without contenders the bound is an absolute figure.
    pub(crate) others: Vec<&'static str>,
    pub(crate) other_column: String,
    /// Contender whose figure both sides contain, so that it is subtracted from both.
    pub(crate) beyond: Option<&'static str>,
}

/// Outcome of a target.
pub(crate) struct Verdict {
    pub(crate) ours: f64,
    pub(crate) other: f64,
    /// Contender with that figure.
    pub(crate) best: Option<&'static str>,
    pub(crate) ratio: f64,
    pub(crate) met: bool,
    /// Factor between our figure and the allowed one. More than 1 misses the target.
    pub(crate) excess: f64,
}

impl Target {
    /// Creates a target for `column` against the same column of `others`.
    pub(crate) fn new(
        what: impl Into<String>,
        judged: Judged,
        ours: &'static str,
        column: impl Into<String>,
        bound: Bound,
        others: &[&'static str],
    ) -> Target {
        let column = column.into();
        Target {
            what: what.into(),
            judged,
            ours,
            other_column: column.clone(),
            column,
            bound,
            others: others.to_vec(),
            beyond: None,
        }
    }

    /// Compares what both sides add to the figure of this contender.
    pub(crate) fn beyond(self, contender: &'static str) -> Target {
        Target { beyond: Some(contender), ..self }
    }

    /// Judges the target. Returns `None` when one side was not measured.
    pub(crate) fn judge(&self, results: &Results) -> Option<Verdict> {
        let whole = |who, column: &str| results.get(who, column).map(|samples| self.judged.of(samples));
        let figure = |who, column: &str| match self.beyond {
            Some(part) => Some(whole(who, column)? - whole(part, column)?),
            None => whole(who, column),
        };
        let ours = figure(self.ours, &self.column)?;
        let mut others: Vec<(f64, Option<&'static str>)> = self
            .others
            .iter()
            .filter_map(|who| Some((figure(who, &self.other_column)?, Some(*who))))
            .collect();
        if self.others.is_empty() {
            others.push((1.0, None));
        }
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (other, best) = match self.bound {
            Bound::AtMost(_) => *others.first()?,
            Bound::AtLeast(_) => *others.last()?,
        };
        let ratio = ours / other;
        let (met, excess) = match self.bound {
            Bound::AtMost(bound) => (ratio <= bound, ratio / bound),
            Bound::AtLeast(bound) => (ratio >= bound, bound / ratio),
        };
        Some(Verdict { ours, other, best, ratio, met, excess })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtMost(factor) => write!(f, "at most {factor}"),
            Bound::AtLeast(factor) => write!(f, "at least {factor}"),
        }
    }
}

impl Verdict {
    /// The verdict as a line for people.
    pub(crate) fn line(&self, target: &Target, area: &Area) -> String {
        let outcome = match self.met {
            true => "met            ".to_owned(),
            false => format!("missed by {:>4.2}×", self.excess),
        };
        let Target { what, bound, .. } = target;
        let (ours, other) = (super::table::figure(self.ours), super::table::figure(self.other));
        match self.best {
            Some(best) => {
                let best = area.label(best);
                format!("{outcome}  {what}: {ours} is {:.2}× {best} ({other}); {bound}×", self.ratio)
            }
            None => format!("{outcome}  {what}: {ours}; {bound}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Scale;

    fn excess(bound: Bound, ours: f64) -> f64 {
        let mut results = Results::new(1, Scale::Full);
        for (who, value) in [("ours", ours), ("slow", 10.0), ("fast", 4.0)] {
            results.add(who, "time", value);
        }
        let target = Target::new("x", Judged::Minimum, "ours", "time", bound, &["slow", "fast", "absent"]);
        target.judge(&results).unwrap().excess
    }

    #[test]
    fn the_best_of_the_others_is_the_measure() {
        assert_eq!(excess(Bound::AtMost(0.5), 4.0), 2.0);
        assert_eq!(excess(Bound::AtMost(1.0), 2.0), 0.5);
        assert_eq!(excess(Bound::AtLeast(2.0), 10.0), 2.0);
    }

    #[test]
    fn what_both_sides_contain_is_left_out() {
        let mut results = Results::new(1, Scale::Full);
        for (who, value) in [("ours", 12.0), ("other", 30.0), ("both", 10.0)] {
            results.add(who, "time", value);
        }
        let target =
            Target::new("x", Judged::Minimum, "ours", "time", Bound::AtMost(0.2), &["other"]).beyond("both");
        let verdict = target.judge(&results).unwrap();
        assert_eq!((verdict.ours, verdict.other, verdict.ratio, verdict.met), (2.0, 20.0, 0.1, true));
    }
}
