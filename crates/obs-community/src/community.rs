//! The community, as the collecting node sees it.

use std::collections::{BTreeMap, BTreeSet};

use crate::band::Band;
use crate::cohort::Cohort;
use crate::page;
use crate::rules::Rules;
use crate::sample::{Metric, Sample, Sum};
use crate::share::Share;

/// Maximum number of metrics of capabilities with groups: those of 64 capabilities, and room for as many that nodes ceased to offer.
const MAX_COHORTS: usize = 2 * 64 * Metric::ALL.len();

/// Figures of the last tick, by metric and capability.
pub(crate) type Figures = BTreeMap<(Metric, String), Band>;

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
}

impl Community {
    /// Creates a community without groups.
    #[must_use]
    pub fn new(rules: Rules) -> Community {
        Community { rules, now: 0, cohorts: BTreeMap::new(), figures: Figures::new() }
    }

    /// Replaces the figures by those of `shares`, which are by node. Call it once for each tick, with what came.
    ///
    /// Memory is bounded, whatever the shares hold.
    pub fn tick(&mut self, shares: &BTreeMap<String, Share>) {
        self.now += 1;
        let mut offered: BTreeMap<(Metric, &str), BTreeMap<&str, &Sample>> = BTreeMap::new();
        for (node, share) in shares {
            for (metric, capability, sample) in share.samples() {
                offered.entry((metric, capability)).or_default().insert(node, sample);
            }
        }
        self.figures.clear();
        for ((metric, capability), samples) in &offered {
            self.count(*metric, capability, samples);
        }
        let nobody = BTreeSet::new();
        self.cohorts.retain(|(metric, capability), cohort| {
            // Time goes by for those that nobody offers now, too.
            if !offered.contains_key(&(*metric, capability.as_str())) {
                cohort.step(self.now, &nobody, &self.rules);
            }
            !cohort.is_empty()
        });
    }

    fn count(&mut self, metric: Metric, capability: &str, samples: &BTreeMap<&str, &Sample>) {
        let key = (metric, capability.to_owned());
        let is_known = self.cohorts.contains_key(&key);
        // An invented name takes no place.
        if !is_known && (samples.len() < self.rules.min_nodes || self.cohorts.len() >= MAX_COHORTS) {
            return;
        }
        let present = samples.keys().copied().collect();
        let cohort = self.cohorts.entry(key.clone()).or_default();
        let (mut sum, mut counts) = (Sum::default(), false);
        for group in cohort.step(self.now, &present, &self.rules) {
            let of_group: Vec<_> =
                group.iter().filter_map(|node| samples.get(node.as_str()).copied()).collect();
            counts |= sum.add(&of_group, self.rules.min_nodes);
        }
        if let Some(band) = sum.band(metric, self.rules.tick_seconds).filter(|_| counts) {
            self.figures.insert(key, band);
        }
    }

    /// Returns the figures of the last tick in the text format of Prometheus. `None` if too few nodes are behind each.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        (!self.figures.is_empty()).then(|| page::text(&self.figures))
    }
}
