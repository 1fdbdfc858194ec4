//! Reading samples back, for tests of code that records.
//!
//! A test makes a [`Registry`], [enters](Registry::enter) it, runs the code under test, and reads the samples.

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

/// Returns the labels and the value of a line, if it is a sample with this name.
fn sample<'a>(line: &'a str, name: &str) -> Option<(Vec<(&'a str, String)>, f64)> {
    let rest = line.strip_prefix(name)?;
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => split_labels(rest)?,
        None => (Vec::new(), rest),
    };
    // A longer name continues with another character than a space or a brace.
    Some((labels, value.strip_prefix(' ')?.parse().ok()?))
}

fn has_label(own: &[(&str, String)], (name, value): &(&str, &str)) -> bool {
    own.iter().any(|(label, held)| label == name && held == value)
}

/// Splits `a="x",b="y"} 1` into its labels, with their values unescaped, and the rest after the brace.
fn split_labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, after) = unquote(quoted)?;
        labels.push((name, value));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

/// Unescapes a value up to its closing quote. Returns it and the rest after the quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
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
}
