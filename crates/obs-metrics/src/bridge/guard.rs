//! Who may pass from the `metrics` macros to the recorder, and under which name and labels (M8).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Key, Label};

use crate::family::desc::{self, Kind};
use crate::family::label_value::{OVERFLOW, bounded};

/// Names may be made at run time too, so their number is capped as series are.
const MOST_FAMILIES: usize = 1024;

/// So many refused names are counted by themselves.
const MOST_REFUSED: usize = 128;

/// The names and series that were let through, and what was not.
#[derive(Default)]
pub(crate) struct Admitted {
    families: HashMap<String, Family>,
    claims: HashMap<String, String>,
    refused: BTreeMap<String, AtomicU64>,
}

struct Family {
    kind: Kind,
    series: HashSet<Vec<(String, String)>>,
    overflowed: AtomicU64,
    nan: Arc<AtomicU64>,
}

pub(crate) enum Verdict {
    /// Pass on under this key.
    Series(Key),
    /// The family is full: pass on, but remember nothing of the key.
    Overflow(Key),
    Refused,
}

impl Admitted {
    /// Takes the name for a family of this kind, or says what stands in the way.
    pub(crate) fn claim(&mut self, kind: Kind, name: &str, claims: &[String]) -> Result<(), String> {
        if let Some(family) = self.families.get(name) {
            return if family.kind == kind {
                Ok(())
            } else {
                Err(format!("the {} of that name", family.kind))
            };
        }
        if let Some(owner) = claims.iter().find_map(|claim| self.claims.get(claim)) {
            return Err(owner.clone());
        }
        if self.families.len() >= MOST_FAMILIES {
            return Err(format!("the limit of {MOST_FAMILIES} names"));
        }
        self.claims.extend(claims.iter().map(|claim| (claim.clone(), name.to_owned())));
        self.families.insert(name.to_owned(), Family::new(kind));
        Ok(())
    }

    /// Says what becomes of a series that is there or has no place; `None` if it is to be claimed and admitted.
    pub(crate) fn judge(&self, kind: Kind, name: &str, key: &Key, cap: usize) -> Option<Verdict> {
        let family = self.families.get(name).filter(|family| family.kind == kind)?;
        family.judge(name, &valid_labels(key.labels()), cap)
    }

    pub(crate) fn admit(&mut self, name: &str, key: &Key, cap: usize) -> Verdict {
        let Some(family) = self.families.get_mut(name) else { return Verdict::Refused };
        let labels = valid_labels(key.labels());
        family.judge(name, &labels, cap).unwrap_or_else(|| {
            family.series.insert(labels.clone());
            Verdict::Series(key_of(name, labels))
        })
    }

    /// How many families there are.
    pub(crate) fn len(&self) -> usize {
        self.families.len()
    }

    /// Counts a look-up of a name that was refused before, or of any once no more are told apart; whether it was one.
    pub(crate) fn count_refused_again(&self, name: &str) -> bool {
        let is_full = self.refused.len() >= MOST_REFUSED;
        let others = || self.refused.get(OVERFLOW).filter(|_| is_full);
        self.refused.get(name).or_else(others).map(|count| count.fetch_add(1, Ordering::Relaxed)).is_some()
    }

    pub(crate) fn count_refused(&mut self, name: &str) {
        let name = if self.refused.len() < MOST_REFUSED { name } else { OVERFLOW };
        *self.refused.entry(name.to_owned()).or_default().get_mut() += 1;
    }

    /// Where a family's observations of NaN are counted.
    pub(crate) fn nan_of(&self, name: &str) -> Arc<AtomicU64> {
        self.families.get(name).map(|family| family.nan.clone()).unwrap_or_default()
    }

    /// Look-ups of refused names.
    pub(crate) fn refused(&self) -> Vec<(String, u64)> {
        self.refused.iter().map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed))).collect()
    }

    /// Look-ups that ended in the overflow series, by family.
    pub(crate) fn overflowed(&self) -> Vec<(String, u64)> {
        self.losses(|family| family.overflowed.load(Ordering::Relaxed))
    }

    /// Observations of NaN, by family.
    pub(crate) fn nan(&self) -> Vec<(String, u64)> {
        self.losses(|family| family.nan.load(Ordering::Relaxed))
    }

    fn losses(&self, of: impl Fn(&Family) -> u64) -> Vec<(String, u64)> {
        let losses = self.families.iter().map(|(name, family)| (name.clone(), of(family)));
        losses.filter(|(_, lost)| *lost > 0).collect()
    }
}

impl Family {
    fn new(kind: Kind) -> Self {
        Self { kind, series: HashSet::new(), overflowed: AtomicU64::new(0), nan: Arc::default() }
    }

    /// As [`Admitted::judge`], for valid labels.
    fn judge(&self, name: &str, labels: &[(String, String)], cap: usize) -> Option<Verdict> {
        if self.series.contains(labels) {
            return Some(Verdict::Series(key_of(name, labels.to_vec())));
        }
        if labels.is_empty() || self.series.len() + 1 < cap {
            return None;
        }
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        let collapsed = labels.iter().map(|(label, _)| (label.clone(), OVERFLOW.to_owned()));
        Some(Verdict::Overflow(key_of(name, self.stand_in(collapsed.collect()))))
    }

    /// One stand-in for each set of label names that was admitted; whatever else comes is counted without labels.
    fn stand_in(&self, collapsed: Vec<(String, String)>) -> Vec<(String, String)> {
        let known = self.series.iter().any(|series| {
            series.len() == collapsed.len()
                && series.iter().zip(&collapsed).all(|(own, other)| own.0 == other.0)
        });
        if known { collapsed } else { Vec::new() }
    }
}

fn key_of(name: &str, labels: Vec<(String, String)>) -> Key {
    let labels: Vec<Label> =
        labels.into_iter().map(|(label, value)| Label::new(label, escaped(&value))).collect();
    Key::from_parts(name.to_owned(), labels)
}

/// The recorder leaves a backslash alone that looks as if it escaped something, so different values come out alike.
/// Escaped beforehand they do not; it escapes a line feed itself.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The name as the page may show it.
pub(crate) fn exposed_name(kind: Kind, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut valid: String = name.chars().take(200).map(|c| if fits(c) { c } else { '_' }).collect();
    if valid.is_empty() || valid.starts_with("__") || valid.starts_with(|c: char| c.is_ascii_digit()) {
        valid.insert_str(0, "foreign_");
    }
    if valid == "_total" {
        valid.insert_str(0, "foreign");
    }
    desc::exposed_name(kind, &valid)
}

/// Returns the labels in order, without a name twice, none reserved, the values bounded. A label without a value is left
/// out, because a server takes it for one that is not there: with and without it, it is one series.
fn valid_labels<'a>(labels: impl Iterator<Item = &'a Label>) -> Vec<(String, String)> {
    let mut valid: Vec<(String, String)> = Vec::new();
    for label in labels.filter(|label| !label.value().is_empty()) {
        let name = valid_label(label.key());
        let value = bounded(label.value()).into_owned();
        if !valid.iter().any(|(taken, _)| *taken == name) {
            valid.push((name, value));
        }
    }
    valid.sort();
    valid
}

fn valid_label(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let valid: String = name.chars().take(100).map(|c| if fits(c) { c } else { '_' }).collect();
    let odd = valid.is_empty() || valid.starts_with(|c: char| c.is_ascii_digit());
    if odd || desc::is_reserved_label(&valid) { format!("exported_{valid}") } else { valid }
}
