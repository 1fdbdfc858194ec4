//! Sums of test results.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of passed, failed and skipped tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Reads libtest's closing line, `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn from_test_result(line: &str) -> Option<Self> {
        let (_verdict, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let count = |what: &str| {
            counts.split("; ").find_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok())
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
    }

    /// Counts failed tests as passed.
    pub(crate) fn passes_later(&mut self, tests: usize) {
        let tests = (tests as u64).min(self.failed);
        self.failed -= tests;
        self.passed += tests;
    }

    /// Reads the `summary` object of a conformance report.
    pub(crate) fn from_report(report: &serde_json::Value) -> Option<Self> {
        let count = |key: &str| report.get("summary")?.get(key)?.as_u64();
        Some(Self { passed: count("passed")?, failed: count("failed")?, skipped: count("skipped")? })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Closing line of a run.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn libtest_lines_are_read() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(Tally::from_test_result(line), Some(Tally { passed: 12, failed: 2, skipped: 1 }));
        assert_eq!(Tally::from_test_result("running 12 tests"), None);
        assert_eq!(Tally::from_test_result("test result: ok. many passed; 0 failed; 0 ignored"), None);
    }

    #[test]
    fn reports_are_read_and_summed() {
        let report = serde_json::json!({"summary": {"passed": 5, "failed": 0, "skipped": 1}});
        let mut sum = Tally { passed: 1, failed: 1, skipped: 0 };
        sum += Tally::from_report(&report).expect("a summary");
        assert_eq!(sum.to_string(), "6 passed, 1 failed, 1 skipped");
    }
}
