//! Groups of nodes, of which figures are made.

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::Rules;

/// Maximum number of nodes that a cohort remembers. A community has fewer; hostile nodes that change their names do not.
const MAX_NODES: usize = 256;

/// Groups for one metric of one capability.
#[derive(Debug, Default)]
pub(crate) struct Cohort {
    /// Disjoint.
    groups: Vec<Group>,
    /// Nodes of dissolved groups, with the tick at which they may join another.
    resting: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Group {
    nodes: BTreeSet<String>,
    /// Last tick at which all nodes were present.
    last_whole: u64,
}

impl Cohort {
    /// Notes the nodes that are present in the tick `now`, and returns the groups that are whole.
    pub(crate) fn step(
        &mut self,
        now: u64,
        present: &BTreeSet<&str>,
        rules: &Rules,
    ) -> Vec<&BTreeSet<String>> {
        self.resting.retain(|_, until| *until > now);
        for group in &mut self.groups {
            if group.nodes.iter().all(|node| present.contains(node.as_str())) {
                group.last_whole = now;
            }
        }
        self.dissolve(now, rules);
        // The nodes of the first groups have had time to appear.
        if now > rules.settling_ticks {
            self.form(now, present, rules);
        }
        self.groups.iter().filter(|group| group.last_whole == now).map(|group| &group.nodes).collect()
    }

    /// Returns whether it remembers nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.resting.is_empty()
    }

    fn dissolve(&mut self, now: u64, rules: &Rules) {
        let is_over = |group: &mut Group| now - group.last_whole > rules.patience_ticks;
        for group in self.groups.extract_if(.., is_over) {
            // The node that left rests too: with the same others it would be the old group again, and with some of them a part.
            self.resting
                .extend(group.nodes.into_iter().map(|node| (node, now.saturating_add(rules.rest_ticks))));
        }
    }

    fn form(&mut self, now: u64, present: &BTreeSet<&str>, rules: &Rules) {
        let is_new = |node: &&str| {
            !self.resting.contains_key(*node) && !self.groups.iter().any(|group| group.nodes.contains(*node))
        };
        let nodes: BTreeSet<String> = present.iter().copied().filter(is_new).map(str::to_owned).collect();
        let remembered =
            self.resting.len() + self.groups.iter().map(|group| group.nodes.len()).sum::<usize>();
        if nodes.len() >= rules.min_nodes && remembered + nodes.len() <= MAX_NODES {
            self.groups.push(Group { nodes, last_whole: now });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { min_nodes: 3, tick_seconds: 60, settling_ticks: 0, patience_ticks: 5, rest_ticks: 40 };

    fn whole(cohort: &mut Cohort, now: u64, present: &[&str]) -> Vec<String> {
        let groups = cohort.step(now, &present.iter().copied().collect(), &RULES);
        groups.iter().map(|group| group.iter().map(String::as_str).collect()).collect()
    }

    #[test]
    fn who_joins_waits_for_a_group_and_who_leaves_takes_its_group_along() {
        let mut cohort = Cohort::default();
        assert!(whole(&mut cohort, 1, &["a", "b"]).is_empty());
        assert_eq!(whole(&mut cohort, 2, &["a", "b", "c"]), ["abc"]);
        assert_eq!(whole(&mut cohort, 3, &["a", "b", "c", "d"]), ["abc"]);
        assert_eq!(whole(&mut cohort, 4, &["a", "b", "c", "d", "e"]), ["abc"]);
        assert_eq!(whole(&mut cohort, 5, &["a", "b", "c", "d", "e", "f"]), ["abc", "def"]);
        assert_eq!(whole(&mut cohort, 6, &["a", "b", "d", "e", "f"]), ["def"]);
        assert_eq!(whole(&mut cohort, 7, &["a", "b", "c", "d", "e", "f"]), ["abc", "def"]);
        // `c` is gone. The others rest, and join nobody.
        for now in 8..53 {
            assert_eq!(whole(&mut cohort, now, &["a", "b", "d", "e", "f", "g"]), ["def"], "{now}");
        }
        assert_eq!(whole(&mut cohort, 53, &["a", "b", "d", "e", "f", "g"]), ["def", "abg"]);
    }

    /// Whatever the nodes do, two groups whose figures can be compared are the same or have no node in common. Each sum and each
    /// difference of figures is thus one of whole groups.
    #[test]
    fn groups_are_disjoint_over_time() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let mut state = 0x9e37_79b9_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let (mut cohort, mut seen) = (Cohort::default(), Vec::<(u64, BTreeSet<String>)>::new());
        let mut away = BTreeSet::new();
        let mut compared = 0;
        for now in 1..20_000 {
            // Most nodes stay as they are for a while.
            if random() % 4 == 0 {
                let name = names[random() as usize % names.len()];
                if !away.remove(name) {
                    away.insert(name);
                }
            }
            let present = names.into_iter().filter(|name| !away.contains(name)).collect();
            for group in cohort.step(now, &present, &RULES) {
                assert!(group.len() >= 3);
                seen.retain(|(then, _)| now - then <= RULES.rest_ticks);
                for (_, other) in &seen {
                    compared += 1;
                    assert!(group == other || group.is_disjoint(other), "{group:?} and {other:?}");
                }
                seen.push((now, group.clone()));
            }
        }
        assert!(compared > 10_000, "{compared}");
    }

    #[test]
    fn nodes_that_change_their_names_take_a_bounded_amount_of_memory() {
        let mut cohort = Cohort::default();
        for now in 1..2_000 {
            let names: Vec<_> = (0..3).map(|node| format!("{now}-{node}")).collect();
            cohort.step(now, &names.iter().map(String::as_str).collect(), &RULES);
            let nodes = cohort.groups.iter().map(|group| group.nodes.len()).sum::<usize>();
            assert!(nodes + cohort.resting.len() <= MAX_NODES);
        }
    }
}
