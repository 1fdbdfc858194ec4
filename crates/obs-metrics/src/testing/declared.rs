//! Families that a test may read, with the names and labels of their samples.

use super::sample::sample;
use crate::exposition::format::Format;
use crate::exposition::kind::{Kind, base_name};
use crate::registry::Registry;

/// Family by its declaration.
pub(super) struct Declared {
    kind: Kind,
    name: String,
    labels: Vec<String>,
}

/// Returns the families of the registry, of the global one, and of the `metrics` macros in this registry.
pub(super) fn of(registry: &Registry) -> Vec<Declared> {
    let mut all = Vec::new();
    for registry in [registry, Registry::global()] {
        for family in registry.namespace().families() {
            let desc = family.desc();
            let labels = desc.labels.iter().map(|label| label.to_string()).collect();
            all.push(Declared { kind: desc.kind, name: desc.name.to_string(), labels });
        }
    }
    if registry.namespace().macro_families().is_some() {
        all.extend(recorded_by_macros(registry, &all));
    }
    all
}

/// Returns the families of the page that are not declared. Their labels are those of their samples.
fn recorded_by_macros(registry: &Registry, declared: &[Declared]) -> Vec<Declared> {
    let page = registry.render(Format::Text);
    let headers = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let recorded = headers.filter(|(name, _)| !declared.iter().any(|family| family.name == *name));
    let recorded = recorded.map(|(name, kind)| {
        let kind = match kind {
            "counter" => Kind::Counter,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            _ => Kind::Gauge,
        };
        let mut family = Declared { kind, name: name.to_owned(), labels: Vec::new() };
        let names = family.sample_names();
        let samples = page.lines().filter_map(|line| names.iter().find_map(|name| sample(line, name)));
        family.labels = samples.flat_map(|(labels, _)| labels).map(|(label, _)| label.to_owned()).collect();
        family.labels.sort();
        family.labels.dedup();
        family
    });
    recorded.collect()
}

impl Declared {
    /// Returns the names of its samples on the page.
    pub(super) fn sample_names(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            Kind::Counter | Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
            Kind::Summary => &["", "_sum", "_count"],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect()
    }

    /// Whether the family has this name, though perhaps no sample of it.
    pub(super) fn is_called(&self, name: &str) -> bool {
        name == self.name || name == base_name(self.kind, &self.name)
    }

    /// Returns the labels of its samples with this name. `None` if it has no such samples.
    pub(super) fn labels_of(&self, name: &str) -> Option<Vec<String>> {
        if !self.sample_names().iter().any(|own| own == name) {
            return None;
        }
        let more = match self.kind {
            Kind::Histogram if name.ends_with("_bucket") => Some("le"),
            Kind::Summary if name == self.name => Some("quantile"),
            _ => None,
        };
        Some(self.labels.iter().cloned().chain(more.map(str::to_owned)).collect())
    }
}
