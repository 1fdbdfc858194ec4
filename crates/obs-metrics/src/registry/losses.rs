//! Families that count what this crate itself collapsed, left out or refused.

use std::sync::{Arc, Weak};

use super::Registry;
use super::collector::Samples;
use crate::desc::Desc;
use crate::error::Error;
use crate::exposition::kind::Kind;
use crate::family::dynamic::{AnyFamily, MacroFamilies};
use crate::family::namespace::Namespace;
use crate::report;

/// Adds the families to a registry.
pub(crate) fn collect_in(registry: &Registry) {
    let overflowed = Losses {
        name: "hearthnet_metrics_overflow_total",
        help: "Look-ups that a full family answered with its overflow series.",
        declared: |family| family.overflowed(),
        from_macros: |families| families.overflowed(),
    };
    let nan = Losses {
        name: "hearthnet_metrics_nan_total",
        help: "Observations of NaN, which are left out of their histogram or summary.",
        declared: |family| family.nan(),
        from_macros: |families| families.nan(),
    };
    let refused = Losses {
        name: "hearthnet_metrics_refused_total",
        help: "Look-ups through the `metrics` macros whose name was refused.",
        declared: |_| 0,
        from_macros: |families| families.refused(),
    };
    let results = [overflowed, nan, refused].map(|losses| losses.declare_in(registry));
    results.into_iter().filter_map(Result::err).for_each(|error| report::error(&error));
}

/// Family of counters that is read from all other families.
struct Losses {
    name: &'static str,
    help: &'static str,
    /// Losses of a declared family.
    declared: fn(&dyn AnyFamily) -> u64,
    /// Losses of the families of the `metrics` macros, by family.
    from_macros: fn(&dyn MacroFamilies) -> Vec<(String, u64)>,
}

impl Losses {
    fn declare_in(self, registry: &Registry) -> Result<(), Error> {
        let desc = Desc::new(Kind::Counter, self.name, self.help, &["metric"])?;
        let namespace = registry.namespace();
        // Weak: the namespace owns this collector, so a strong reference would keep both alive.
        let weak = Arc::downgrade(namespace);
        // A test's registry shows the family only if something was lost, so that its page holds what the test declared.
        registry.add_collector(desc, !namespace.is_global(), move |samples| self.read(&weak, samples))
    }

    fn read(&self, namespace: &Weak<Namespace>, samples: &mut Samples<1>) {
        let Some(namespace) = namespace.upgrade() else { return };
        for family in namespace.families() {
            match (self.declared)(&*family) {
                0 => {}
                lost => samples.push([&family.desc().name], lost as f64),
            }
        }
        let macro_families = namespace.macro_families();
        let lost = macro_families.map(|families| (self.from_macros)(&**families)).unwrap_or_default();
        lost.iter().for_each(|(name, lost)| samples.push([name], *lost as f64));
    }
}
