//! A family's declaration and the rules that names, labels and buckets obey (M1).

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, ErrorKind};
use crate::exposition::text::float_label;

/// The bounds a histogram gets when it is declared without any: seconds, from 5 ms to 10 s.
pub const DEFAULT_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The type of a family as its `# TYPE` line states it.
///
/// ```
/// assert_eq!(obs_metrics::Kind::Histogram.to_string(), "histogram");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only ever goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
    /// Quantiles over a rolling window, a sum and a count.
    Summary,
}

impl Kind {
    /// The word after the name in a `# TYPE` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }

    /// The endings that samples of this kind may put after the family's own name.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total", "_created"],
            Self::Gauge => &[""],
            Self::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
            Self::Summary => &["", "_sum", "_count", "_created"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A checked declaration.
#[derive(Debug, Clone)]
pub struct Desc {
    pub(crate) kind: Kind,
    /// As samples show it; a counter's ends in `_total`.
    pub(crate) name: Box<str>,
    pub(crate) help: Box<str>,
    pub(crate) labels: Box<[Box<str>]>,
    pub(crate) bounds: Arc<[f64]>,
    /// `le="…"` of each bucket, the last one `+Inf`.
    pub(crate) bound_labels: Box<[Box<str>]>,
    /// Set if its histograms count in native buckets too.
    native: OnceLock<()>,
}

impl Desc {
    pub(crate) fn new(kind: Kind, name: &str, help: &str, labels: &[&str]) -> Result<Self, Error> {
        check_name(name)?;
        check_labels(name, labels)?;
        let exposed = exposed_name(kind, name);
        if base_name(kind, &exposed).is_empty() {
            return Err(Error::new(ErrorKind::InvalidName, name, "a counter needs a name before `_total`"));
        }
        let labels = labels.iter().map(|label| Box::from(*label)).collect();
        Ok(Self {
            kind,
            name: exposed.into(),
            help: help.into(),
            labels,
            bounds: Arc::from([]),
            bound_labels: Box::default(),
            native: OnceLock::new(),
        })
    }

    pub(crate) fn with_bounds(mut self, bounds: &[f64]) -> Result<Self, Error> {
        self.bounds = check_bounds(&self.name, bounds)?.into();
        let all = self.bounds.iter().copied().chain([f64::INFINITY]);
        self.bound_labels = all.map(|bound| format!("le=\"{}\"", float_label(bound)).into()).collect();
        Ok(self)
    }

    pub(crate) fn is_native(&self) -> bool {
        self.native.get().is_some()
    }

    pub(crate) fn set_native(&self) {
        self.native.get_or_init(|| ());
    }

    /// Whether both declare the same family. The help text may differ, and native buckets may be asked for in one place
    /// alone: what came first stays.
    pub(crate) fn declares_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.labels == other.labels && self.bounds == other.bounds
    }

    pub(crate) fn claims(&self) -> Vec<String> {
        claims(self.kind, &self.name)
    }
}

/// A counter's samples end in `_total` in both formats, so that both show the same series.
pub(crate) fn exposed_name(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Counter if !name.ends_with("_total") => format!("{name}_total"),
        _ => name.to_owned(),
    }
}

/// The name in `# HELP` and `# TYPE` of OpenMetrics: a counter's without `_total`.
pub(crate) fn base_name(kind: Kind, exposed: &str) -> &str {
    match kind {
        Kind::Counter => exposed.strip_suffix("_total").unwrap_or(exposed),
        _ => exposed,
    }
}

/// Every name that a family of this kind occupies on the page; two families may not share one.
pub(crate) fn claims(kind: Kind, exposed: &str) -> Vec<String> {
    let base = base_name(kind, exposed);
    kind.suffixes().iter().map(|suffix| format!("{base}{suffix}")).collect()
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.starts_with("__") {
        let detail = "names that begin with `__` are reserved for Prometheus";
        return Err(Error::new(ErrorKind::ReservedName, name, detail));
    }
    if !is_name(name, true) {
        let detail = "a metric name is a letter, `_` or `:`, then letters, digits, `_` or `:`";
        return Err(Error::new(ErrorKind::InvalidName, name, detail));
    }
    Ok(())
}

fn check_labels(name: &str, labels: &[&str]) -> Result<(), Error> {
    for (index, label) in labels.iter().enumerate() {
        if is_reserved_label(label) {
            let detail = format!("label {label:?} is reserved; choose another name");
            return Err(Error::new(ErrorKind::ReservedName, name, detail));
        }
        if !is_name(label, false) {
            let detail = format!("label {label:?} must be a letter or `_`, then letters, digits or `_`");
            return Err(Error::new(ErrorKind::InvalidName, name, detail));
        }
        if labels[..index].contains(label) {
            let detail = format!("label {label:?} is declared twice");
            return Err(Error::new(ErrorKind::DuplicateLabel, name, detail));
        }
    }
    Ok(())
}

pub(crate) fn is_reserved_label(label: &str) -> bool {
    label == "le" || label == "quantile" || label.starts_with("__")
}

fn is_name(text: &str, colons: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    text.chars().all(fits) && text.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

/// A last `+Inf` is implied, so it is accepted and left out; no bounds at all means the default ones.
fn check_bounds<'a>(name: &str, bounds: &'a [f64]) -> Result<&'a [f64], Error> {
    let bounds = match bounds {
        [] => DEFAULT_BUCKETS,
        [finite @ .., last] if *last == f64::INFINITY => finite,
        _ => bounds,
    };
    let refuse = |detail: String| Err(Error::new(ErrorKind::InvalidBuckets, name, detail));
    if let Some(odd) = bounds.iter().find(|bound| !bound.is_finite()) {
        return refuse(format!("bucket bound {odd} is not finite"));
    }
    if let Some(pair) = bounds.windows(2).find(|pair| pair[0] >= pair[1]) {
        return refuse(format!("bucket bounds must ascend, but {} comes before {}", pair[0], pair[1]));
    }
    Ok(bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(result: Result<Desc, Error>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind())
    }

    #[test]
    fn names_follow_the_data_model() {
        for name in ["a", "_a", ":a", "a1", "ns:x_total"] {
            assert_eq!(kind_of(Desc::new(Kind::Gauge, name, "", &[])), None, "{name}");
        }
        for name in ["", "1a", "a b", "a-b", "é", "a{", "a\n"] {
            assert_eq!(
                kind_of(Desc::new(Kind::Gauge, name, "", &[])),
                Some(ErrorKind::InvalidName),
                "{name:?}"
            );
        }
        assert_eq!(kind_of(Desc::new(Kind::Gauge, "__a", "", &[])), Some(ErrorKind::ReservedName));
        assert_eq!(kind_of(Desc::new(Kind::Counter, "_total", "", &[])), Some(ErrorKind::InvalidName));
    }

    /// Constant, variable and reserved labels that collide lose a scrape.
    #[test]
    fn pain_08_labels_that_collide_are_refused_at_declaration() {
        let of = |labels: &[&str]| kind_of(Desc::new(Kind::Gauge, "g", "", labels));
        assert_eq!(of(&["le"]), Some(ErrorKind::ReservedName));
        assert_eq!(of(&["quantile"]), Some(ErrorKind::ReservedName));
        assert_eq!(of(&["__name__"]), Some(ErrorKind::ReservedName));
        assert_eq!(of(&["a", "b", "a"]), Some(ErrorKind::DuplicateLabel));
        assert_eq!(of(&["a:b"]), Some(ErrorKind::InvalidName));
        assert_eq!(of(&["a", "b"]), None);
    }

    #[test]
    fn bounds_must_be_finite_and_ascend() {
        let of = |bounds: &[f64]| {
            Desc::new(Kind::Histogram, "h", "", &[])
                .and_then(|desc| desc.with_bounds(bounds))
                .map(|d| d.bounds.to_vec())
        };
        assert_eq!(of(&[]).unwrap(), DEFAULT_BUCKETS);
        assert_eq!(of(&[1.0, f64::INFINITY]).unwrap(), [1.0]);
        for bad in [&[2.0, 1.0][..], &[1.0, 1.0], &[f64::NAN], &[f64::INFINITY, 1.0], &[f64::NEG_INFINITY]] {
            assert_eq!(of(bad).unwrap_err().kind(), ErrorKind::InvalidBuckets, "{bad:?}");
        }
    }

    #[test]
    fn a_counter_is_exposed_with_its_total() {
        assert_eq!(&*Desc::new(Kind::Counter, "calls", "", &[]).unwrap().name, "calls_total");
        let desc = Desc::new(Kind::Counter, "calls_total", "", &[]).unwrap();
        assert_eq!((&*desc.name, base_name(desc.kind, &desc.name)), ("calls_total", "calls"));
    }
}
