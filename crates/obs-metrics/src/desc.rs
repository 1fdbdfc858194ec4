//! Declaration of a family, and the rules for names, labels and bucket bounds.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, ErrorKind};
use crate::exposition::kind::{Kind, base_name, claims, exposed_name};
use crate::exposition::text::float_label;

/// Bucket bounds of a histogram that is declared without any: seconds, from 5 ms to 10 s.
/// The same as [`buckets::DURATION`](crate::buckets::DURATION).
pub const DEFAULT_BUCKETS: &[f64] = crate::buckets::DURATION;

/// Checked declaration of a family.
#[derive(Debug, Clone)]
pub struct Desc {
    pub(crate) kind: Kind,
    /// Name of the samples. A counter's ends in `_total`.
    pub(crate) name: Box<str>,
    pub(crate) help: Box<str>,
    pub(crate) labels: Box<[Box<str>]>,
    pub(crate) bounds: Arc<[f64]>,
    /// Encoded pair `le="…"` of each bucket. The last one is `+Inf`.
    pub(crate) bound_labels: Box<[Box<str>]>,
    /// Set once the histograms of the family count in native buckets too.
    native: OnceLock<()>,
}

impl Desc {
    pub(crate) fn new(kind: Kind, name: &str, help: &str, labels: &[&str]) -> Result<Self, Error> {
        check_name(name)?;
        check_labels(name, labels)?;
        let exposed = exposed_name(kind, name);
        if base_name(kind, &exposed).is_empty() {
            let problem = "the name of a counter is only `_total`";
            return Err(Error::new(ErrorKind::InvalidName, name, problem, "put a name before `_total`"));
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
        // Encoded once, because every scrape writes them for every series.
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

    /// Whether both declare the same family. The help may differ: the first one stays. Native buckets may be requested by
    /// one declaration only.
    pub(crate) fn declares_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.labels == other.labels && self.bounds == other.bounds
    }

    /// Returns every name that the family occupies on the page.
    pub(crate) fn claims(&self) -> Vec<String> {
        claims(self.kind, &self.name)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.starts_with("__") {
        let problem = "names that begin with `__` are reserved for Prometheus";
        return Err(Error::new(ErrorKind::ReservedName, name, problem, "choose another name"));
    }
    if !is_name(name, true) {
        let problem = "it is not a metric name";
        let advice = "begin with a letter, `_` or `:`, and go on with letters, digits, `_` or `:`";
        return Err(Error::new(ErrorKind::InvalidName, name, problem, advice));
    }
    Ok(())
}

fn check_labels(name: &str, labels: &[&str]) -> Result<(), Error> {
    for (index, label) in labels.iter().enumerate() {
        if is_reserved_label(label) {
            let problem = format!("the label {label:?} is reserved");
            return Err(Error::new(ErrorKind::ReservedName, name, problem, "choose another label"));
        }
        if !is_name(label, false) {
            let problem = format!("{label:?} is not a label name");
            let advice = "begin with a letter or `_`, and go on with letters, digits or `_`";
            return Err(Error::new(ErrorKind::InvalidName, name, problem, advice));
        }
        if labels[..index].contains(label) {
            let problem = format!("the label {label:?} is declared twice");
            return Err(Error::new(ErrorKind::DuplicateLabel, name, problem, "declare each label once"));
        }
    }
    Ok(())
}

/// Whether the formats or Prometheus use this label themselves.
pub(crate) fn is_reserved_label(label: &str) -> bool {
    label == "le" || label == "quantile" || label.starts_with("__")
}

fn is_name(text: &str, colons: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    text.chars().all(fits) && text.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

/// Returns the finite bounds. A last `+Inf` is implied and left out. An empty list stands for the default bounds.
fn check_bounds<'a>(name: &str, bounds: &'a [f64]) -> Result<&'a [f64], Error> {
    let bounds = match bounds {
        [] => DEFAULT_BUCKETS,
        // Users of other libraries often pass `+Inf` explicitly.
        [finite @ .., last] if *last == f64::INFINITY => finite,
        _ => bounds,
    };
    let refuse = |problem: String| {
        Err(Error::new(ErrorKind::InvalidBuckets, name, problem, "give finite bounds in ascending order"))
    };
    if let Some(odd) = bounds.iter().find(|bound| !bound.is_finite()) {
        return refuse(format!("the bucket bound {odd} is not finite"));
    }
    if let Some(pair) = bounds.windows(2).find(|pair| pair[0] >= pair[1]) {
        return refuse(format!("the bucket bound {} comes before {}", pair[0], pair[1]));
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
    fn metric_names_follow_the_data_model() {
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

    /// On the page, labels that collide would make a server refuse the whole scrape.
    #[test]
    fn labels_that_collide_are_refused_at_declaration() {
        let of = |labels: &[&str]| kind_of(Desc::new(Kind::Gauge, "g", "", labels));
        assert_eq!(of(&["le"]), Some(ErrorKind::ReservedName));
        assert_eq!(of(&["quantile"]), Some(ErrorKind::ReservedName));
        assert_eq!(of(&["__name__"]), Some(ErrorKind::ReservedName));
        assert_eq!(of(&["a", "b", "a"]), Some(ErrorKind::DuplicateLabel));
        assert_eq!(of(&["a:b"]), Some(ErrorKind::InvalidName));
        assert_eq!(of(&["a", "b"]), None);
    }

    #[test]
    fn bounds_must_be_finite_and_ascending() {
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
    fn a_counter_is_exposed_with_the_suffix_total() {
        assert_eq!(&*Desc::new(Kind::Counter, "calls", "", &[]).unwrap().name, "calls_total");
        let desc = Desc::new(Kind::Counter, "calls_total", "", &[]).unwrap();
        assert_eq!((&*desc.name, base_name(desc.kind, &desc.name)), ("calls_total", "calls"));
    }
}
