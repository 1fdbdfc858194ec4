//! Guard of the recorder: the names and series of the `metrics` macros that may pass, and their valid form.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Key, Label};

use crate::desc::is_reserved_label;
use crate::exposition::kind::{self, Kind};
use crate::family::label_value::{OVERFLOW, bounded};

/// Maximum number of families. Names may be made at run time, from text of peers, so their number is capped like series.
const MAX_FAMILIES: usize = 1024;

/// Maximum number of refused names that are counted apart. Further ones are counted together.
const MAX_REFUSED: usize = 128;

/// Names and series that were admitted, and counts of those that were not.
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

/// Decision on a key.
pub(crate) enum Verdict {
    /// Pass it on under this key.
    Series(Key),
    /// The family is full. Pass it on under this key of the overflow series, and remember nothing of the original key.
    Overflow(Key),
    Refused,
}

impl Admitted {
    /// Claims the name for a family of this kind. The error names what occupies it.
    pub(crate) fn claim(&mut self, kind: Kind, name: &str, claims: &[String]) -> Result<(), String> {
        // Another thread may have claimed the name since the caller looked.
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
        if self.families.len() >= MAX_FAMILIES {
            return Err(format!("the limit of {MAX_FAMILIES} names"));
        }
        self.claims.extend(claims.iter().map(|claim| (claim.clone(), name.to_owned())));
        self.families.insert(name.to_owned(), Family::new(kind));
        Ok(())
    }

    /// Returns the verdict on a key of a known series or of a full family. Returns `None` if the key has to be claimed and
    /// admitted.
    pub(crate) fn judge(&self, kind: Kind, name: &str, key: &Key, cap: usize) -> Option<Verdict> {
        let family = self.families.get(name).filter(|family| family.kind == kind)?;
        family.judge(name, &valid_labels(key.labels()), cap)
    }

    /// Admits the key as a new series, if the family has room.
    pub(crate) fn admit(&mut self, name: &str, key: &Key, cap: usize) -> Verdict {
        // The name was claimed before, and names are never given up, so the family exists.
        let Some(family) = self.families.get_mut(name) else { return Verdict::Refused };
        let labels = valid_labels(key.labels());
        family.judge(name, &labels, cap).unwrap_or_else(|| {
            family.series.insert(labels.clone());
            Verdict::Series(key_of(name, labels))
        })
    }

    /// Returns the number of families.
    pub(crate) fn len(&self) -> usize {
        self.families.len()
    }

    /// Counts a look-up of a name that was refused before, or of any name once the maximum is reached. Returns whether it
    /// counted.
    pub(crate) fn count_refused_again(&self, name: &str) -> bool {
        let is_full = self.refused.len() >= MAX_REFUSED;
        let others = || self.refused.get(OVERFLOW).filter(|_| is_full);
        // Relaxed: the number stands alone.
        self.refused.get(name).or_else(others).map(|count| count.fetch_add(1, Ordering::Relaxed)).is_some()
    }

    /// Counts the first look-up of a refused name.
    pub(crate) fn count_refused(&mut self, name: &str) {
        let name = if self.refused.len() < MAX_REFUSED { name } else { OVERFLOW };
        *self.refused.entry(name.to_owned()).or_default().get_mut() += 1;
    }

    /// Returns the counter of a family's observations of NaN.
    pub(crate) fn nan_of(&self, name: &str) -> Arc<AtomicU64> {
        self.families.get(name).map(|family| family.nan.clone()).unwrap_or_default()
    }

    /// Returns the look-ups of refused names, by name.
    pub(crate) fn refused(&self) -> Vec<(String, u64)> {
        self.refused.iter().map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed))).collect()
    }

    /// Returns the look-ups that ended in an overflow series, by family.
    pub(crate) fn overflowed(&self) -> Vec<(String, u64)> {
        self.losses(|family| family.overflowed.load(Ordering::Relaxed))
    }

    /// Returns the observations of NaN, by family.
    pub(crate) fn nan(&self) -> Vec<(String, u64)> {
        self.losses(|family| family.nan.load(Ordering::Relaxed))
    }

    fn losses(&self, lost: impl Fn(&Family) -> u64) -> Vec<(String, u64)> {
        let losses = self.families.iter().map(|(name, family)| (name.clone(), lost(family)));
        losses.filter(|(_, lost)| *lost > 0).collect()
    }
}

impl Family {
    fn new(kind: Kind) -> Self {
        Self { kind, series: HashSet::new(), overflowed: AtomicU64::new(0), nan: Arc::default() }
    }

    /// Returns the verdict on valid labels; see [`Admitted::judge`].
    fn judge(&self, name: &str, labels: &[(String, String)], cap: usize) -> Option<Verdict> {
        if self.series.contains(labels) {
            return Some(Verdict::Series(key_of(name, labels.to_vec())));
        }
        // One row is kept for the overflow series. The series without labels is always admitted: there is only one.
        if labels.is_empty() || self.series.len() + 1 < cap {
            return None;
        }
        // Relaxed: the number stands alone.
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        let collapsed = labels.iter().map(|(label, _)| (label.clone(), OVERFLOW.to_owned()));
        Some(Verdict::Overflow(key_of(name, self.overflow_labels(collapsed.collect()))))
    }

    /// Returns the labels of the overflow series: one for each set of label names that was admitted, and one without labels
    /// for all other sets, so that made-up label names take no memory.
    fn overflow_labels(&self, collapsed: Vec<(String, String)>) -> Vec<(String, String)> {
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

/// Escapes backslashes and quotes. The recorder does not escape a backslash that looks like part of an escape, so different
/// values would read alike. It escapes line feeds itself.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Returns the name as the page shows it: valid, not reserved, and of at most 200 characters before its prefix and suffix.
pub(crate) fn exposed_name(kind: Kind, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    // Names are bounded, because each line of the page repeats them and a peer may have influenced them.
    let mut valid: String = name.chars().take(200).map(|c| if fits(c) { c } else { '_' }).collect();
    if valid.is_empty() || valid.starts_with("__") || valid.starts_with(|c: char| c.is_ascii_digit()) {
        valid.insert_str(0, "foreign_");
    }
    // A counter needs a name before its suffix.
    if valid == "_total" {
        valid.insert_str(0, "foreign");
    }
    kind::exposed_name(kind, &valid)
}

/// Returns valid labels in order: unique names, none reserved, bounded values. A label without a value is left out, because a
/// server treats it as absent.
fn valid_labels<'a>(labels: impl Iterator<Item = &'a Label>) -> Vec<(String, String)> {
    let mut valid: Vec<(String, String)> = Vec::new();
    for label in labels.filter(|label| !label.value().is_empty()) {
        let name = valid_label(label.key());
        let value = bounded(label.value()).into_owned();
        // Different names may become equal when they are made valid. The first one wins.
        if !valid.iter().any(|(taken, _)| *taken == name) {
            valid.push((name, value));
        }
    }
    // The order of the labels of a macro makes no difference to a series.
    valid.sort();
    valid
}

fn valid_label(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let valid: String = name.chars().take(100).map(|c| if fits(c) { c } else { '_' }).collect();
    let odd = valid.is_empty() || valid.starts_with(|c: char| c.is_ascii_digit());
    if odd || is_reserved_label(&valid) { format!("exported_{valid}") } else { valid }
}
