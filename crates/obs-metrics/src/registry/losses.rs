//! What this crate itself had to collapse or leave out, counted like everything else (M7).

use crate::bridge::Foreign;
use crate::error::Error;
use crate::family::desc::{Desc, Kind};
use crate::family::dynamic::AnyFamily;
use crate::registry::collector::Samples;
use crate::registry::{Registry, WeakRegistry};
use crate::report;

pub(crate) fn collect_in(registry: &Registry) {
    let overflowed = Losses {
        name: "hearthnet_metrics_overflow_total",
        help: "Look-ups that a full family answered with its overflow series.",
        of: |family| family.overflowed(),
        of_foreign: Foreign::overflowed,
    };
    let nan = Losses {
        name: "hearthnet_metrics_nan_total",
        help: "Observations of NaN, which are left out of their histogram or summary.",
        of: |family| family.nan(),
        of_foreign: Foreign::nan,
    };
    let refused = Losses {
        name: "hearthnet_metrics_refused_total",
        help: "Look-ups through the `metrics` macros whose name was refused.",
        of: |_| 0,
        of_foreign: Foreign::refused,
    };
    let declared = [overflowed, nan, refused].map(|losses| losses.declare_in(registry));
    declared.into_iter().filter_map(Result::err).for_each(|error| report::error(&error));
}

/// A family of counters that is read from all the others.
struct Losses {
    name: &'static str,
    help: &'static str,
    of: fn(&dyn AnyFamily) -> u64,
    of_foreign: fn(&Foreign) -> Vec<(String, u64)>,
}

impl Losses {
    /// A registry of a test shows the family only where something was lost.
    fn declare_in(self, registry: &Registry) -> Result<(), Error> {
        let desc = Desc::new(Kind::Counter, self.name, self.help, &["metric"])?;
        let weak = registry.downgrade();
        registry.add_collector(desc, !registry.is_global(), move |samples| self.read(&weak, samples))
    }

    fn read(&self, registry: &WeakRegistry, samples: &mut Samples<1>) {
        let Some(registry) = registry.upgrade() else { return };
        for family in registry.families() {
            match (self.of)(&*family) {
                0 => {}
                lost => samples.push([&family.desc().name], lost as f64),
            }
        }
        let foreign = registry.foreign().map(|foreign| (self.of_foreign)(foreign)).unwrap_or_default();
        foreign.iter().for_each(|(name, lost)| samples.push([name], *lost as f64));
    }
}
