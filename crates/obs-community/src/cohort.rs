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

/// Group of nodes, which are in a figure together or not at all.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) nodes: BTreeSet<String>,
    /// Whether the owners of all its nodes let it be in figures for others than the community.
    // Decided for good when the group forms. Else the figures of the two audiences would differ by single nodes.
    pub(crate) is_federated: bool,
    /// Last tick at which all nodes were present.
    last_whole: u64,
}

impl Group {
    fn is_whole(&self, present: &BTreeMap<&str, bool>) -> bool {
        let has = |node: &String| {
            present.get(node.as_str()).is_some_and(|is_federated| *is_federated || !self.is_federated)
        };
        self.nodes.iter().all(has)
    }
}

impl Cohort {
    /// Notes the nodes that are present in the tick `now`, and returns the groups that are whole. The value of a node is whether
    /// its owner lets it be in figures for others than the community.
    pub(crate) fn step(&mut self, now: u64, present: &BTreeMap<&str, bool>, rules: &Rules) -> Vec<&Group> {
        self.resting.retain(|_, until| *until > now);
        for group in &mut self.groups {
            if group.is_whole(present) {
                group.last_whole = now;
            }
        }
        self.dissolve(now, rules);
        // The nodes of the first groups have had time to appear.
        if now > rules.settling_ticks {
            self.form(now, present, rules);
        }
        self.groups.iter().filter(|group| group.last_whole == now).collect()
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

    fn form(&mut self, now: u64, present: &BTreeMap<&str, bool>, rules: &Rules) {
        let is_new = |node: &str| {
            !self.resting.contains_key(node) && !self.groups.iter().any(|group| group.nodes.contains(node))
        };
        let new = present.iter().filter(|(node, _)| is_new(node));
        let (federated, others): (Vec<_>, Vec<_>) = new.partition(|(_, is_federated)| **is_federated);
        let groups = match federated.len() >= rules.min_nodes {
            true => vec![(federated, true), (others, false)],
            false => vec![([federated, others].concat(), false)],
        };
        for (nodes, is_federated) in groups {
            let remembered =
                self.resting.len() + self.groups.iter().map(|group| group.nodes.len()).sum::<usize>();
            if nodes.len() >= rules.min_nodes && remembered + nodes.len() <= MAX_NODES {
                let nodes = nodes.into_iter().map(|(node, _)| (*node).to_owned()).collect();
                self.groups.push(Group { nodes, is_federated, last_whole: now });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { min_nodes: 3, tick_seconds: 60, settling_ticks: 0, patience_ticks: 5, rest_ticks: 40 };

    fn whole(cohort: &mut Cohort, now: u64, present: &[&str]) -> Vec<String> {
        // The owner of a node with a capital letter does not let it be in figures for others.
        let is_federated = |node: &str| node == node.to_lowercase();
        let present = present.iter().map(|node| (*node, is_federated(node))).collect();
        let groups = cohort.step(now, &present, &RULES);
        groups.iter().map(|group| group.nodes.iter().map(String::as_str).collect()).collect()
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

    #[test]
    fn owners_that_differ_in_their_consent_are_in_no_group_for_others() {
        let mut cohort = Cohort::default();
        let of =
            |cohort: &Cohort| -> Vec<_> { cohort.groups.iter().map(|group| group.is_federated).collect() };
        assert_eq!(whole(&mut cohort, 1, &["A", "b", "c"]), ["Abc"]);
        assert_eq!(whole(&mut cohort, 2, &["A", "X", "b", "c", "d", "e", "f"]), ["Abc", "def"], "X waits");
        assert_eq!(of(&cohort), [false, true]);
        // `d` takes its consent back: its group is gone, also for the community.
        assert_eq!(whole(&mut cohort, 3, &["A", "D", "b", "c", "e", "f"]), ["Abc"]);
        // `A` gives it. Its group stays what it was.
        assert_eq!(cohort.step(4, &[("A", true), ("b", true), ("c", true)].into(), &RULES).len(), 1);
        assert_eq!(of(&cohort), [false, true]);
        let mut cohort = Cohort::default();
        assert_eq!(whole(&mut cohort, 1, &["A", "B", "C", "d", "e", "f"]), ["def", "ABC"]);
        assert_eq!(of(&cohort), [true, false]);
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
            let present = names.into_iter().filter(|name| !away.contains(name));
            // Some change their consent.
            let present = present.map(|name| (name, random() % 64 > 0 && name != "c")).collect();
            for Group { nodes: group, .. } in cohort.step(now, &present, &RULES) {
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
            cohort.step(now, &names.iter().map(|name| (name.as_str(), true)).collect(), &RULES);
            let nodes = cohort.groups.iter().map(|group| group.nodes.len()).sum::<usize>();
            assert!(nodes + cohort.resting.len() <= MAX_NODES);
        }
    }
}
