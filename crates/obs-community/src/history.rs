//! Figures of the past: by the hour for a week, then by the day.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::community::{Community, Figures};
use crate::metric::Metric;
use crate::sum::Sum;

/// Hours that are kept, a week.
const HOURS: u64 = 7 * 24;
/// Maximum number of days that are kept after that, a year.
const MAX_DAYS: usize = 366;
/// Maximum number of figures that are kept, of a few hundred bytes each. A community of ten capabilities has 20 000 in a year.
const MAX_FIGURES: usize = 40_000;

/// Readers of figures. They decide from which groups the figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Callers of the node that collects, which are to be members of the community. They see the figures of all groups.
    Community,
    /// All others. They see the figures of the groups of which all owners consent to that.
    Federated,
}

/// Hours by their start, in hours since 1970, and their number: 1 or 24.
type Period = (u64, u64);

/// Figures of the past. They are sums of whole groups of at least three nodes, and no node has a name in them.
///
/// ```
/// use obs_community::{Audience, Community, History, Rules, Share};
///
/// let (mut community, mut history) = (Community::new(Rules::default().settling_ticks(0)), History::default());
/// let share = Share::default().calls("llm.chat", 6);
/// community.tick(&["a", "b", "c"].map(|node| (node.to_owned(), share.clone())).into());
/// history.note(480_000, &community);
/// let figures = history.snapshot(Audience::Community, 480_000, 24).unwrap();
/// assert_eq!(figures["capability_calls_per_min"]["llm.chat"], "10-20");
/// // No owner has consented to that.
/// assert_eq!(history.snapshot(Audience::Federated, 480_000, 24), None);
/// ```
#[derive(Debug, Default)]
pub struct History {
    /// Sums for the community, and those for others.
    periods: BTreeMap<Period, [Figures; 2]>,
    /// Periods that have changed since [`History::changes`] returned them.
    changed: BTreeSet<Period>,
}

/// Change of what is kept: a period with its figures as text, or `None` if it is not kept any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Start of the period, in hours since 1970.
    pub start_hour: u64,
    /// Length of the period in hours: 1, or 24.
    pub hours: u64,
    /// Figures, which [`History::restore`] reads.
    pub figures: Option<String>,
}

impl History {
    /// Adds the figures of the last tick of `community` to those of an hour, which is counted since 1970.
    ///
    /// Memory is bounded: the oldest periods make room.
    pub fn note(&mut self, hour: u64, community: &Community) {
        let figures = community.figures();
        if figures.iter().any(|figures| !figures.is_empty()) {
            self.add((hour, 1), figures);
        }
        self.roll_up(hour);
        self.limit();
    }

    fn add(&mut self, period: Period, figures: [&Figures; 2]) {
        self.changed.insert(period);
        for (own, more) in self.periods.entry(period).or_default().iter_mut().zip(figures) {
            for (key, sum) in more {
                own.entry(key.clone()).or_default().merge(sum);
            }
        }
    }

    /// Makes days of the hours that are older than a week.
    fn roll_up(&mut self, now: u64) {
        // A day is rolled up as a whole, so that it is in a window or not.
        let end = now.saturating_sub(HOURS) / 24 * 24;
        let old: Vec<Period> = self
            .periods
            .range(..(end, 0))
            .map(|(period, _)| *period)
            .filter(|(_, hours)| *hours == 1)
            .collect();
        for period in old {
            if let Some([community, federated]) = self.periods.remove(&period) {
                self.changed.insert(period);
                self.add((period.0 / 24 * 24, 24), [&community, &federated]);
            }
        }
    }

    fn limit(&mut self) {
        let count = |periods: &BTreeMap<Period, [Figures; 2]>| {
            periods.values().flatten().map(BTreeMap::len).sum::<usize>()
        };
        let days =
            |periods: &BTreeMap<Period, [Figures; 2]>| periods.keys().filter(|(_, hours)| *hours > 1).count();
        while (count(&self.periods) > MAX_FIGURES || days(&self.periods) > MAX_DAYS)
            && let Some((period, _)) = self.periods.pop_first()
        {
            self.changed.insert(period);
        }
    }

    /// Returns the figures of a window in bands, by the name of the metric and the capability. The window ends with the hour
    /// `now`, and a day that is not wholly in it is left out. `None` if no figure has enough nodes behind it.
    #[must_use]
    pub fn snapshot(&self, audience: Audience, now: u64, window_hours: u64) -> Option<Value> {
        let start = now.saturating_add(1).saturating_sub(window_hours.max(1));
        let mut sums = Figures::new();
        for [community, federated] in self.periods.range((start, 0)..=(now, 24)).map(|(_, figures)| figures) {
            let figures = if audience == Audience::Community { community } else { federated };
            for (key, sum) in figures {
                sums.entry(key.clone()).or_default().merge(sum);
            }
        }
        let mut shown = Map::new();
        for ((metric, capability), sum) in &sums {
            let Some(band) = sum.band(*metric) else { continue };
            if metric.is_of_machine() {
                shown.insert(metric.name().to_owned(), band.to_string().into());
            } else {
                let of_metric = shown.entry(metric.name()).or_insert_with(|| Value::Object(Map::new()));
                of_metric[capability] = band.to_string().into();
            }
        }
        (!shown.is_empty()).then_some(Value::Object(shown))
    }

    /// Returns what has changed since the last call in the periods before the hour `now`, so that each is written once.
    pub fn changes(&mut self, now: u64) -> Vec<Change> {
        let over = self.changed.extract_if(.., |(start, hours)| start.saturating_add(*hours) <= now);
        let change = |(start_hour, hours): Period| {
            let figures = self.periods.get(&(start_hour, hours)).map(text);
            Change { start_hour, hours, figures }
        };
        over.map(change).collect()
    }

    /// Adds a period that [`History::changes`] returned. Returns whether it could be read.
    pub fn restore(&mut self, start_hour: u64, hours: u64, figures: &str) -> bool {
        let is_period = hours == 1 || (hours == 24 && start_hour.is_multiple_of(24));
        let Some(figures) = read(figures).filter(|_| is_period) else { return false };
        self.periods.insert((start_hour, hours), figures);
        self.limit();
        true
    }
}

/// Returns the sums as JSON: for each audience, by the name of the metric and the capability.
fn text(figures: &[Figures; 2]) -> String {
    let by_name = |figures: &Figures| {
        let mut named: BTreeMap<&str, BTreeMap<String, Sum>> = BTreeMap::new();
        for ((metric, capability), sum) in figures {
            named.entry(metric.name()).or_default().insert(capability.clone(), sum.clone());
        }
        named
    };
    // Maps of texts and numbers have a form in JSON.
    serde_json::to_string(&figures.each_ref().map(by_name)).unwrap_or_default()
}

fn read(text: &str) -> Option<[Figures; 2]> {
    let named: [BTreeMap<String, BTreeMap<String, Sum>>; 2] = serde_json::from_str(text).ok()?;
    Some(named.map(|named| {
        // A metric of a later version is left out.
        let known = named.into_iter().filter_map(|(name, sums)| Some((Metric::named(&name)?, sums)));
        known
            .flat_map(|(metric, sums)| sums.into_iter().map(move |(name, sum)| ((metric, name), sum)))
            .collect()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rules, Share};

    /// Returns a community of three whose nodes had so many calls each.
    fn community(calls: u64) -> Community {
        let mut community = Community::new(Rules::default().settling_ticks(0));
        let share = Share::default().calls("a", calls).machine(Metric::Cpu, 40).federated([Metric::Cpu]);
        community.tick(&["x", "y", "z"].map(|node| (node.to_owned(), share.clone())).into());
        community
    }

    fn calls(history: &History, now: u64, window: u64) -> Option<String> {
        let figures = history.snapshot(Audience::Community, now, window)?;
        Some(figures["capability_calls_per_min"]["a"].as_str().unwrap().to_owned())
    }

    #[test]
    fn a_window_has_its_hours_and_the_consent_of_its_audience() {
        let mut history = History::default();
        history.note(1000, &community(40));
        history.note(1001, &community(2));
        assert_eq!(calls(&history, 1001, 1).as_deref(), Some("5-10"), "6");
        assert_eq!(calls(&history, 1001, 2).as_deref(), Some("50-100"), "63");
        assert_eq!(calls(&history, 1002, 1), None);
        assert_eq!(calls(&history, 999, u64::MAX), None, "what is to come");
        assert_eq!(calls(&history, 1001, u64::MAX).as_deref(), Some("50-100"));
        let federated = history.snapshot(Audience::Federated, 1001, 24).unwrap();
        assert_eq!(federated.to_string(), "{\"cpu_pct\":\"25-50\"}");
    }

    #[test]
    fn hours_of_more_than_a_week_ago_become_days() {
        let mut history = History::default();
        for hour in 0..20 * 24 {
            history.note(hour, &community(2));
        }
        let hours = history.periods.keys().filter(|(_, hours)| *hours == 1).count();
        let days: Vec<_> =
            history.periods.keys().filter(|(_, hours)| *hours == 24).map(|(start, _)| start / 24).collect();
        assert!((168..=168 + 24).contains(&hours), "{hours}");
        assert_eq!(days, (0..12).collect::<Vec<_>>());
        assert_eq!(calls(&history, 479, 480).as_deref(), Some("5-10"));
        // The first day alone.
        assert_eq!(calls(&history, 23, 24).as_deref(), Some("5-10"));
        assert_eq!(calls(&history, 23, 23), None, "a day is whole or not at all");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut history = History::default();
        let mut community = Community::new(Rules::default().settling_ticks(0));
        let share = (0..64).fold(Share::default(), |share, name| share.calls(&format!("c{name}"), 7));
        community.tick(&["x", "y", "z"].map(|node| (node.to_owned(), share.clone())).into());
        for hour in (0..400 * 24 * 3).step_by(8) {
            history.note(hour, &community);
            assert!(history.periods.values().flatten().map(BTreeMap::len).sum::<usize>() <= MAX_FIGURES);
        }
        assert!(history.periods.len() < 366 + 200);
    }

    #[test]
    fn what_is_written_is_read_again_and_has_no_name_of_a_node() {
        let mut history = History::default();
        let mut kept: BTreeMap<Period, String> = BTreeMap::new();
        let mut keep = |changes: Vec<Change>| {
            let count = changes.len();
            for Change { start_hour, hours, figures } in changes {
                match figures {
                    Some(figures) => drop(kept.insert((start_hour, hours), figures)),
                    None => assert!(kept.remove(&(start_hour, hours)).is_some(), "{start_hour}"),
                }
            }
            (count, kept.clone())
        };
        for hour in 0..10 * 24 {
            history.note(hour, &community(hour % 7));
            assert!(keep(history.changes(hour)).0 <= 1 + 25, "an hour is written once, and a day");
        }
        let (_, kept) = keep(history.changes(240));
        let mut restored = History::default();
        for ((start, hours), figures) in &kept {
            assert!(!figures.contains("\"x\"") && figures.len() < 600, "{figures}");
            assert!(restored.restore(*start, *hours, figures));
        }
        assert_eq!(restored.periods, history.periods);
        for (start, hours, figures) in [
            (0, 2, "[{},{}]"),
            (1, 24, "[{},{}]"),
            (0, 1, "{}"),
            (0, 1, "[{\"cpu_pct\":7},{}]"),
            (0, 1, "\u{0}"),
        ] {
            assert!(!restored.restore(start, hours, figures), "{figures}");
        }
    }
}
