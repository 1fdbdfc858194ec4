//! Second run of what failed, each test alone, for machines that are slow or busy.
//!
//! A test that passes then is unsteady. It is named at the end, because an unsteady test is a defect too.

use std::io;

use crate::tally::Tally;
use crate::{cargo, conformance, say};

/// Maximum number of failures that are tried again. More are no accident.
const MAXIMUM: usize = 5;

/// Reads the line of a test that failed, `test NAME ... FAILED`.
pub(crate) fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

/// Runs the failed tests of the workspace again, and returns the names of those that passed.
pub(crate) fn of_tests(failed: &[String]) -> io::Result<Vec<String>> {
    let mut unsteady = Vec::new();
    for name in few(failed) {
        say(&format!("\n── second try: {name}"));
        let mut test = cargo::workspace_test();
        test.args(["--", "--exact", name]);
        let mut tally = Tally::default();
        let status = cargo::watch(&mut test, |line| {
            if let Some(of_program) = Tally::from_test_result(line) {
                tally += of_program;
            }
        })?;
        if status.success() && tally.passed > 0 {
            unsteady.push(name.clone());
        }
    }
    Ok(unsteady)
}

/// Runs the failed conformance cases again, and returns the names of those that passed.
pub(crate) fn of_cases(failed: &[conformance::Failed], require_oracles: bool) -> Vec<String> {
    let passes = |case: &&str| {
        say(&format!("\n── second try: {case}"));
        let ran = conformance::tally(&conformance::Options::case(case, require_oracles));
        ran.is_ok_and(|ran| ran.is_some_and(|ran| ran.tally.failed == 0 && ran.tally.passed > 0))
    };
    few(failed).iter().map(|case| case.name.as_str()).filter(passes).map(str::to_owned).collect()
}

fn few<T>(failed: &[T]) -> &[T] {
    if failed.len() > MAXIMUM { &[] } else { failed }
}

#[cfg(test)]
mod tests {
    use super::{failed_test, few};

    #[test]
    fn only_failed_tests_are_read() {
        assert_eq!(failed_test("test a::b ... FAILED"), Some("a::b"));
        let doc = "test crates/obs-log/src/lib.rs - one (line 3) ... FAILED";
        assert_eq!(failed_test(doc), Some("crates/obs-log/src/lib.rs - one (line 3)"));
        for line in ["test a::b ... ok", "test result: FAILED. 1 passed; 1 failed", "    a::b"] {
            assert_eq!(failed_test(line), None, "{line}");
        }
    }

    #[test]
    fn many_failures_are_no_accident() {
        let failed = |number: usize| vec![String::new(); number];
        assert_eq!((few(&failed(5)).len(), few(&failed(6)).len()), (5, 0));
    }
}
