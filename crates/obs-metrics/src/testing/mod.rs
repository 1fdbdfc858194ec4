//! Reading samples back, for tests of code that records.
//!
//! A test makes a [`Registry`], [enters](Registry::enter) it, runs the code under test, and reads the samples.

mod declared;
mod nearest;
mod sample;

use self::declared::Declared;
pub use self::nearest::nearest;
use self::sample::{has_label, sample};
use crate::error::{Error, ErrorKind};
use crate::exposition::format::Format;
use crate::registry::Registry;

/// Returns the sum of the samples on the registry's page that have this name and these labels. Returns `None` if there is
/// none.
///
/// The name is that of the sample in the text format, so a counter ends in `_total`, and a histogram or summary has `_count`
/// and `_sum`. The page is rendered for each call.
///
/// ```
/// use obs_metrics::{Registry, standard, testing};
///
/// let registry = Registry::new();
/// let _scope = registry.enter(); // this thread records here from now on
/// standard::requests_total().with(["llm.chat", "ok"]).inc();
/// assert_eq!(testing::value(&registry, "hearthnet_requests_total", &[("result", "ok")]), Some(1.0));
/// assert_eq!(testing::value(&registry, "hearthnet_requests_total", &[("result", "timeout")]), None);
/// ```
#[must_use]
pub fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let page = registry.render(Format::Text);
    let samples = page.lines().filter_map(|line| sample(line, name));
    let matching = samples.filter(|(own, _)| labels.iter().all(|label| has_label(own, label)));
    matching.map(|(_, value)| value).reduce(|sum, value| sum + value)
}

/// Returns the sum of the samples with this name and these labels, or 0 for a declared family without such a sample.
///
/// A family counts as declared if this registry or the global one has it. Families of the `metrics` macros are those of this
/// registry.
///
/// ```
/// use obs_metrics::{ErrorKind, Registry, testing};
///
/// let registry = Registry::new();
/// assert_eq!(testing::sum(&registry, "hearthnet_requests_total", &[("result", "ok")]), Ok(0.0));
/// let misspelt = testing::sum(&registry, "hearthnet_request_total", &[]).unwrap_err();
/// assert_eq!(misspelt.kind(), ErrorKind::UnknownFamily);
/// assert_eq!(misspelt.advice(), "did you mean `hearthnet_requests_total`?");
/// ```
///
/// # Errors
/// [`ErrorKind::UnknownFamily`] if no family has samples of this name, and [`ErrorKind::UnknownLabel`] if it has no such label.
/// The advice has the nearest name.
pub fn sum(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Result<f64, Error> {
    let declared = declared::of(registry);
    let own = declared.iter().find_map(|family| family.labels_of(name));
    let own = own.ok_or_else(|| unknown_family(name, &declared))?;
    if let Some((label, _)) = labels.iter().find(|(label, _)| !own.iter().any(|name| name == label)) {
        return Err(unknown_label(name, label, &own));
    }
    Ok(value(registry, name, labels).unwrap_or(0.0))
}

fn unknown_family(name: &str, declared: &[Declared]) -> Error {
    let advice = match declared.iter().find(|family| family.is_called(name)) {
        // A histogram has no sample with its own name, nor has a counter without `_total`.
        Some(family) => format!("its samples are `{}`", family.sample_names().join("`, `")),
        None => {
            let names: Vec<String> = declared.iter().flat_map(Declared::sample_names).collect();
            match nearest(name, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "run its declaration before you read it".to_owned(),
            }
        }
    };
    Error::new(ErrorKind::UnknownFamily, name, "no declared family has samples of this name", advice)
}

fn unknown_label(name: &str, label: &str, own: &[String]) -> Error {
    let advice = match nearest(label, own.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if own.is_empty() => "it has no labels".to_owned(),
        None => format!("its labels are `{}`", own.join("`, `")),
    };
    Error::new(ErrorKind::UnknownLabel, name, format!("no label `{}`", label.escape_debug()), advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_exact_name_and_any_label_value() {
        let registry = Registry::new();
        let depth = registry.gauge("depth", "Depth.", ["queue", "kind"]);
        let values = ["plain", "a,b=\"c\"} 9", "back\\slash", "line\nfeed", ""];
        for (number, queue) in values.into_iter().enumerate() {
            depth.set([queue, "x"], number as f64 + 1.0);
        }
        registry.gauge("depth_of_others", "Others.", []).set([], 100.0);
        for (number, queue) in values.into_iter().enumerate() {
            let labels = [("queue", queue), ("kind", "x")];
            assert_eq!(value(&registry, "depth", &labels), Some(number as f64 + 1.0), "{queue:?}");
        }
        assert_eq!(value(&registry, "depth", &[]), Some(15.0));
        assert_eq!(value(&registry, "depth", &[("kind", "y")]), None);
        assert_eq!(value(&registry, "dept", &[]), None);
    }

    #[test]
    fn histograms_have_a_count_a_sum_and_buckets() {
        let registry = Registry::new();
        let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], &[0.1, 1.0]);
        waits.observe(["mail"], 0.5);
        assert_eq!(value(&registry, "wait_seconds_count", &[]), Some(1.0));
        assert_eq!(value(&registry, "wait_seconds_sum", &[("queue", "mail")]), Some(0.5));
        assert_eq!(value(&registry, "wait_seconds_bucket", &[("le", "1.0")]), Some(1.0));
        assert_eq!(value(&registry, "wait_seconds", &[]), None);
    }

    fn advice(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> String {
        sum(registry, name, labels).unwrap_err().to_string()
    }

    #[test]
    fn a_declared_family_without_a_sample_reads_0_and_a_misspelt_one_names_the_nearest() {
        let registry = Registry::new();
        let _ = registry.histogram("wait_seconds", "Waits.", ["queue"], &[1.0]);
        let _ = registry.summary("delay_ms", "Delays.", []);
        for (name, labels) in [
            ("wait_seconds_count", &[("queue", "mail")][..]),
            ("wait_seconds_bucket", &[("le", "1.0"), ("queue", "mail")]),
            ("delay_ms", &[("quantile", "0.5")]),
            ("delay_ms_sum", &[]),
            ("hearthnet_requests_total", &[("capability", "llm.chat"), ("result", "ok")]),
        ] {
            assert_eq!(sum(&registry, name, labels), Ok(0.0), "{name}");
        }
        let problem = "no declared family has samples of this name";
        for (name, meant) in [
            ("hearthnet_request_total", "did you mean `hearthnet_requests_total`?"),
            ("wait_second_count", "did you mean `wait_seconds_count`?"),
            ("hearthnet_requests", "its samples are `hearthnet_requests_total`"),
            (
                "wait_seconds",
                "its samples are `wait_seconds_bucket`, `wait_seconds_sum`, `wait_seconds_count`",
            ),
            ("zzz", "run its declaration before you read it"),
        ] {
            assert_eq!(advice(&registry, name, &[]), format!("{name}: {problem}; {meant}"));
        }
    }

    #[test]
    fn a_label_that_the_family_does_not_have_names_the_nearest() {
        let registry = Registry::new();
        registry.gauge("depth", "Depth.", ["queue", "kind"]).set(["mail", "x"], 3.0);
        assert_eq!(sum(&registry, "depth", &[("queue", "post")]), Ok(0.0));
        let _ = registry.gauge("bare", "Bare.", []);
        for (name, label, expected) in [
            ("depth", "quue", "depth: no label `quue`; did you mean `queue`?"),
            ("depth", "capability", "depth: no label `capability`; its labels are `queue`, `kind`"),
            ("bare", "queue", "bare: no label `queue`; it has no labels"),
        ] {
            assert_eq!(advice(&registry, name, &[(label, "")]), expected);
        }
    }
}
