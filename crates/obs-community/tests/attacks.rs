//! Attacks on a community: comparing its pages, windows and snapshots, a capability of one node, and members that lie.

use std::collections::BTreeMap;

use obs_community::{Audience, Community, History, Metric, Rules, Share};
use serde_json::json;

const CHAT: &str = "llm.chat";

fn community() -> Community {
    Community::new(Rules::default().settling_ticks(0).patience_ticks(5).rest_ticks(100))
}

/// Calls of nodes, by one letter each.
fn calls(of: &[(char, u64)]) -> BTreeMap<String, Share> {
    of.iter().map(|(node, calls)| (node.to_string(), Share::default().calls(CHAT, *calls))).collect()
}

fn after(community: &mut Community, shares: &BTreeMap<String, Share>) -> Option<String> {
    community.tick(shares);
    community.page()
}

fn band(page: Option<&String>) -> Option<&str> {
    page?.split("band=\"").nth(1)?.split('"').next()
}

const STEADY: [(char, u64); 3] = [('a', 30), ('b', 40), ('c', 25)];

#[test]
fn who_compares_pages_does_not_see_one_node_join() {
    let mut community = community();
    let before = after(&mut community, &calls(&STEADY));
    assert_eq!(band(before.as_ref()), Some("50-100"));
    for victim in [0, 1, 50, 60, 1_000_000] {
        for joined in [&[('v', victim)][..], &[('v', victim), ('w', 60)]] {
            let page = after(&mut community, &calls(&[&STEADY[..], joined].concat()));
            assert_eq!(page, before, "{joined:?}");
        }
    }
    // Three join at once, and the page shows no less than the three of them.
    let joined = [&STEADY[..], &[('v', 60), ('w', 60), ('x', 60)]].concat();
    assert_eq!(band(after(&mut community, &calls(&joined)).as_ref()), Some("200-500"));
}

#[test]
fn who_compares_pages_does_not_see_one_node_leave() {
    let mut community = community();
    let four = [&STEADY[..], &[('v', 50)]].concat();
    assert_eq!(band(after(&mut community, &calls(&four)).as_ref()), Some("100-200"));
    // Its share cannot be reckoned from the sum of the others, because there is no such page.
    for tick in 0..100 {
        assert_eq!(after(&mut community, &calls(&STEADY)), None, "{tick}");
    }
    // Not even if it comes back after its group is dissolved.
    assert_eq!(after(&mut community, &calls(&four)), None);
}

#[test]
fn a_capability_of_one_node_is_never_shown() {
    let mut community = community();
    let other = |calls: u64| Share::default().calls(CHAT, calls);
    let lone = |share: Share| share.calls("rag.query", 1_000).errors("rag.query", 1_000, 500);
    for _ in 0..3 {
        let mut shares = calls(&STEADY);
        shares.insert("a".to_owned(), lone(other(30)));
        let page = after(&mut community, &shares).unwrap();
        assert!(!page.contains("rag.query"), "{page}");
    }
    // Others say that they offer it, without a call.
    let mut shares = calls(&STEADY);
    for (node, share) in &mut shares {
        let was = std::mem::take(share);
        *share = if node == "a" { lone(was) } else { was.calls("rag.query", 0) };
    }
    assert!(!after(&mut community, &shares).unwrap().contains("rag.query"));
    // They claim a call each. What is shown is theirs, and nothing of the thousand.
    for (node, share) in &mut shares {
        if node != "a" {
            *share = std::mem::take(share).calls("rag.query", 1);
        }
    }
    let page = after(&mut community, &shares).unwrap();
    assert!(page.contains("{capability=\"rag.query\",band=\"0-5\"} 0"), "{page}");
}

#[test]
fn a_member_that_lies_moves_a_figure_by_no_more_than_twice_the_median() {
    let honest = band(after(&mut community(), &calls(&STEADY)).as_ref()).map(str::to_owned);
    assert_eq!(honest.as_deref(), Some("50-100"));
    for lie in [31, 1_000, 1 << 40] {
        let liar = [('a', 30), ('b', 40), ('m', lie)];
        // 30 + 40 + 80 at most.
        assert_eq!(band(after(&mut community(), &calls(&liar)).as_ref()), Some("100-200"), "{lie}");
    }
    let none = [('a', 30), ('b', 40), ('m', 0)];
    assert_eq!(after(&mut community(), &calls(&none)), None, "two nodes are too few");
}

#[test]
fn one_node_under_many_names_at_many_ticks_makes_no_group() {
    let mut community = community();
    for tick in 0..500 {
        let share = json!({ "calls": { format!("invented.{tick}"): 7, CHAT: 7 } });
        let shares = [(format!("name {tick}"), Share::read(&share).unwrap())];
        assert_eq!(after(&mut community, &shares.into()), None);
    }
}

#[test]
fn names_that_three_members_invent_together_take_a_bounded_amount_of_memory() {
    let mut community = community();
    for tick in 0..200 {
        let mut share = Share::default();
        for name in 0..60 {
            share = share.calls(&format!("invented.{tick}.{name}"), 7);
        }
        let shares = ["a", "b", "c"].map(|node| (node.to_owned(), share.clone()));
        community.tick(&shares.into());
        assert!(format!("{community:?}").len() < 1 << 20);
    }
}

/// Memory and consent of nodes, by one letter each.
fn machines(of: &[(char, u64, bool)]) -> BTreeMap<String, Share> {
    let share = |megabytes: u64, is_federated: bool| {
        let share = Share::default().machine(Metric::MemTotal, megabytes);
        share.federated(is_federated.then_some(Metric::MemTotal))
    };
    of.iter().map(|(node, level, is_federated)| (node.to_string(), share(*level, *is_federated))).collect()
}

fn memory(history: &History, audience: Audience, now: u64, window: u64) -> Option<String> {
    let figures = history.snapshot(audience, now, window)?;
    Some(figures["mem_total_mb"].as_str().unwrap().to_owned())
}

/// The difference of two snapshots is one of whole groups: the one without consent is in neither or in both.
#[test]
fn who_compares_the_two_snapshots_does_not_see_the_node_without_consent() {
    let others = [('a', 8_000, true), ('b', 8_000, true), ('c', 8_000, true)];
    for victim in [100, 8_000, 1 << 40] {
        let (mut community, mut history) = (community(), History::default());
        for hour in 0..3 {
            community.tick(&machines(&[&others[..], &[('v', victim, false)]].concat()));
            history.note(hour, &community);
        }
        let figures =
            [Audience::Community, Audience::Federated].map(|audience| memory(&history, audience, 2, 24));
        assert_eq!(figures, [Some("5000-10000".to_owned()), Some("5000-10000".to_owned())], "{victim}");
    }
    // With too few that consent, there is nothing to compare with.
    let (mut community, mut history) = (community(), History::default());
    community.tick(&machines(&[('a', 8_000, true), ('b', 8_000, true), ('v', 8_000, false)]));
    history.note(0, &community);
    assert_eq!(memory(&history, Audience::Federated, 0, 24), None);
    assert!(memory(&history, Audience::Community, 0, 24).is_some());
}

#[test]
fn who_changes_its_consent_does_not_show_in_windows() {
    let others = [('a', 8_000, true), ('b', 8_000, true), ('c', 8_000, true)];
    let (mut community, mut history) = (community(), History::default());
    for hour in 0..20 {
        // It takes its consent back and gives it again.
        let victim = [('v', 1 << 40, !(5..12).contains(&hour))];
        community.tick(&machines(&[&others[..], &victim].concat()));
        history.note(hour, &community);
    }
    for hour in 5..20 {
        let window = |audience| memory(&history, audience, hour, 1);
        assert_eq!(window(Audience::Federated), None, "{hour}: a sum without it");
        assert_eq!(window(Audience::Community), None, "{hour}: or one that only it has left");
    }
}

#[test]
fn who_compares_windows_does_not_see_one_node_join_or_leave() {
    let others = [('a', 8_000, true), ('b', 8_000, true), ('c', 8_000, true)];
    let (mut community, mut history) = (community(), History::default());
    for hour in 0..30 {
        let is_there = (10..20).contains(&hour);
        let victim = [('v', 1 << 40, true)];
        let shares = [&others[..], if is_there { &victim[..] } else { &[] }].concat();
        community.tick(&machines(&shares));
        history.note(hour, &community);
    }
    let figures: std::collections::BTreeSet<_> = (0..30)
        .flat_map(|hour| (1..=hour + 1).map(move |window| (hour, window)))
        .map(|(hour, window)| memory(&history, Audience::Federated, hour, window))
        .collect();
    assert_eq!(figures, [Some("5000-10000".to_owned())].into(), "each window is of the same three");

    // One that leaves: the windows after it are empty, and those before have it in each sum.
    let mut history = History::default();
    let mut community = self::community();
    for hour in 0..30 {
        let count = if hour < 10 { 4 } else { 3 };
        community.tick(&machines(&[('v', 100, true), others[0], others[1], others[2]][4 - count..]));
        history.note(hour, &community);
    }
    for (hour, window) in [(29, 20), (29, 1), (10, 1)] {
        assert_eq!(memory(&history, Audience::Federated, hour, window), None);
    }
    let of = |hour, window| memory(&history, Audience::Federated, hour, window);
    assert_eq!(of(9, 10), of(29, 30), "no window has the others alone");
}

#[test]
fn a_metric_of_the_machine_that_one_or_two_nodes_share_is_never_shown() {
    let (mut community, mut history) = (community(), History::default());
    for hour in 0..10 {
        let mut shares = calls(&STEADY);
        for node in ["a", "b"] {
            shares.insert(node.to_owned(), Share::default().calls(CHAT, 30).machine(Metric::Cpu, 90));
        }
        community.tick(&shares);
        history.note(hour, &community);
    }
    let figures = history.snapshot(Audience::Community, 9, 24).unwrap();
    assert_eq!(figures, json!({ "capability_calls_per_min": { CHAT: "50-100" } }));
    assert_eq!(history.snapshot(Audience::Federated, 9, 24), None);
}

#[test]
fn absurd_numbers_move_no_figure_of_a_machine_far() {
    let figure = |of: &[(char, u64, bool)]| {
        let (mut community, mut history) = (community(), History::default());
        community.tick(&machines(of));
        history.note(0, &community);
        memory(&history, Audience::Community, 0, 1).unwrap()
    };
    let honest: Vec<_> = ('a'..='k').map(|node| (node, 8_000, true)).collect();
    let with = |count: usize, lie: u64| figure(&[&honest[..count], &[('m', lie, true)]].concat());
    assert_eq!(with(2, 8_000), "5000-10000");
    assert_eq!(with(2, 1 << 40), "10000-20000", "10667: twice the median");
    assert_eq!(with(11, 1 << 40), "5000-10000", "beyond three deviations");
    assert_eq!(with(11, 0), "5000-10000");
    // A number that no machine has is refused before it is counted.
    for absurd in
        [json!({ "mem_total_mb": u64::MAX }), json!({ "cpu_pct": 1_000 }), json!({ "online_seconds": -1 })]
    {
        assert!(Share::read(&json!({ "machine": absurd })).is_err());
    }
}
