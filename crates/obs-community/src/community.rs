//! The community, as the collecting node sees it.

use std::collections::BTreeMap;

use crate::cohort::Cohort;
use crate::metric::Metric;
use crate::page;
use crate::rules::Rules;
use crate::sample::Sample;
use crate::share::Share;
use crate::sum::Sum;

/// Maximum number of metrics with groups: three of each of 64 capabilities, room for as many that nodes ceased to offer, and
/// those of machines.
const MAX_COHORTS: usize = 2 * 64 * 3 + Metric::ALL.len();

/// Sums by metric and capability, which is empty for a metric of the machine.
pub(crate) type Figures = BTreeMap<(Metric, String), Sum>;

/// Samples of one metric by node, and whether each may be in figures for others than the community.
type Samples<'a> = BTreeMap<&'a str, (&'a Sample, bool)>;

/// Community of nodes, whose shares are added up at each tick.
///
/// ```
/// use obs_community::{Community, Rules, Share};
///
/// let mut community = Community::new(Rules::default());
/// community.tick(&[("lone".to_owned(), Share::default().calls("llm.chat", 17))].into());
/// assert_eq!(community.page(), None);
/// ```
#[derive(Debug)]
pub struct Community {
    rules: Rules,
    /// Number of the last tick.
    now: u64,
    cohorts: BTreeMap<(Metric, String), Cohort>,
    figures: Figures,
    /// Figures of the groups of which all owners let them be published outside of the community.
    federated: Figures,
}

impl Community {
    /// Creates a community without groups.
    #[must_use]
    pub fn new(rules: Rules) -> Community {
        Community {
            rules,
            now: 0,
            cohorts: BTreeMap::new(),
            figures: Figures::new(),
            federated: Figures::new(),
        }
    }

    /// Replaces the figures by those of `shares`, which are by node. Call it once for each tick, with what came.
    ///
    /// Memory is bounded, whatever the shares hold.
    pub fn tick(&mut self, shares: &BTreeMap<String, Share>) {
        self.now += 1;
        let mut offered: BTreeMap<(Metric, &str), Samples<'_>> = BTreeMap::new();
        for (node, share) in shares {
            for (metric, capability, sample, is_federated) in share.samples() {
                offered.entry((metric, capability)).or_default().insert(node, (sample, is_federated));
            }
        }
        self.figures.clear();
        self.federated.clear();
        for ((metric, capability), samples) in &offered {
            self.count(*metric, capability, samples);
        }
        let nobody = BTreeMap::new();
        self.cohorts.retain(|(metric, capability), cohort| {
            // Time goes by for those that nobody offers now, too.
            if !offered.contains_key(&(*metric, capability.as_str())) {
                cohort.step(self.now, &nobody, &self.rules);
            }
            !cohort.is_empty()
        });
    }

    fn count(&mut self, metric: Metric, capability: &str, samples: &Samples<'_>) {
        let key = (metric, capability.to_owned());
        let is_known = self.cohorts.contains_key(&key);
        // An invented name takes no place.
        if !is_known && (samples.len() < self.rules.min_nodes || self.cohorts.len() >= MAX_COHORTS) {
            return;
        }
        let present = samples.iter().map(|(node, (_, is_federated))| (*node, *is_federated)).collect();
        let cohort = self.cohorts.entry(key.clone()).or_default();
        for group in cohort.step(self.now, &present, &self.rules) {
            let of_group: Vec<_> =
                group.nodes.iter().filter_map(|node| Some(samples.get(node.as_str())?.0)).collect();
            let mut sum = Sum::default();
            if !sum.add(&of_group, self.rules.min_nodes) {
                continue;
            }
            let audiences = [Some(&mut self.figures), group.is_federated.then_some(&mut self.federated)];
            for figures in audiences.into_iter().flatten() {
                figures
                    .entry(key.clone())
                    .or_insert_with(|| Sum::of_tick(self.rules.tick_seconds))
                    .merge(&sum);
            }
        }
    }

    /// Returns the figures of the last tick for the community, and those for others.
    pub(crate) fn figures(&self) -> [&Figures; 2] {
        [&self.figures, &self.federated]
    }

    /// Returns the figures of the last tick in the text format of Prometheus. `None` if too few nodes are behind each.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        (!self.figures.is_empty()).then(|| page::text(&self.figures))
    }
}
