//! Attacks on a community: comparing its pages, a capability of one node, and members that lie.

use std::collections::BTreeMap;

use obs_community::{Community, Rules, Share};
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
