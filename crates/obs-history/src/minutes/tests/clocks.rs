//! Restarts and clocks: no minute is lost, and none is counted twice.

use super::*;

#[test]
fn a_restart_within_a_minute_is_two_runs_whose_counts_add_up() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(3);
    node.pass(20);
    node.end();
    node.start();
    node.call(4);
    node.pass(20);
    node.end();
    let range = read(&folder);
    assert_eq!(calls(&range), [(0, 3.0), (0, 4.0)]);
    assert_eq!(runs(&range), [("start", 0, 0), ("start", 0, 0)]);
    assert_ne!(range.rows[0].run, range.rows.last().unwrap().run);
}

/// Counts of a registry from before belong to the time before.
#[test]
fn a_kill_loses_the_running_minute_alone_and_doubles_nothing() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(5);
    node.pass(60);
    node.call(100);
    node.pass(59);
    node.start();
    node.call(2);
    node.pass(60);
    let range = read(&folder);
    assert_eq!(calls(&range), [(0, 5.0), (1, 2.0)]);
    assert_eq!(runs(&range), [("start", 0, 0), ("start", 1, 1)]);
    assert!(range.runs.iter().all(|run| !run.has_ended));
}

#[test]
fn a_node_that_was_down_has_no_run_in_that_time() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.pass(120);
    node.end();
    node.unix_ms += 3_600_000;
    node.start();
    node.pass(60);
    node.pass(60);
    assert_eq!(runs(&read(&folder)), [("start", 0, 2), ("start", 62, 63)]);
}

#[test]
fn a_clock_that_is_set_back_keeps_both_hours_apart() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    for _ in 0..90 {
        node.call(1);
        node.pass(60);
    }
    node.call(1);
    node.set_clock(-3_600);
    for _ in 0..90 {
        node.call(1);
        node.pass(60);
    }
    let range = read(&folder);
    assert_eq!(total(&range), 181.0);
    assert_eq!(runs(&range), [("start", 0, 90), ("clock", 30, 119)]);
    assert_eq!(range.runs[1].clock_step_seconds, -3_600);
    let in_both = calls(&range).iter().filter(|(minute, _)| *minute == 60).count();
    assert_eq!(in_both, 2, "a minute that came twice has two rows");
}

#[test]
fn a_clock_that_is_set_forward_leaves_a_gap_that_is_no_downtime() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(1);
    node.pass(60);
    node.call(1);
    node.set_clock(7_200);
    node.call(1);
    node.pass(60);
    let range = read(&folder);
    assert_eq!(calls(&range), [(0, 1.0), (1, 1.0), (121, 1.0)]);
    assert_eq!(runs(&range), [("start", 0, 1), ("clock", 121, 121)]);
    assert_eq!(range.runs[1].clock_step_seconds, 7_200);
}

/// Whatever the clock does, each call is in the file once.
#[test]
fn a_restless_clock_neither_loses_nor_doubles_a_call() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    let mut expected = 0;
    // A fixed sequence of numbers that look random.
    let mut state = 12_345_u64;
    for _ in 0..250 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        node.call(1 + state % 3);
        expected += 1 + state % 3;
        match (state >> 33) % 6 {
            0 => node.set_clock(i64::try_from((state >> 40) % 20_000).unwrap() - 10_000),
            1 => node.set_clock(-3),
            2 => node.pass(1 + (state >> 50) % 300),
            _ => node.pass(5 + (state >> 50) % 60),
        }
    }
    node.end();
    let range = read(&folder);
    assert_eq!(total(&range), expected as f64);
    assert!(range.runs.len() > 20 && range.unreadable == 0);
    for row in &range.rows {
        let run = range.runs.iter().find(|run| run.run == row.run).unwrap();
        assert!((run.first_minute..=run.last_minute).contains(&row.minute), "{row:?} in {run:?}");
    }
}

/// Machines without a battery begin in 1970, and some in the far future.
#[test]
fn a_clock_that_is_wrong_at_the_start_removes_nothing() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(1);
    node.pass(60);
    node.end();
    node.unix_ms += 20 * 365 * 86_400_000;
    node.start();
    node.call(1);
    (0..59).for_each(|_| node.pass(60));
    node.set_clock(-20 * 365 * 86_400);
    (0..10).for_each(|_| node.pass(60));
    node.end();
    node.unix_ms = 0;
    node.start();
    node.call(1);
    (0..59).for_each(|_| node.pass(60));
    node.end();
    assert_eq!(total(&read(&folder)), 3.0);
}

#[test]
fn a_machine_that_slept_is_not_up_meanwhile() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.pass(60);
    // Its steady clock stood still.
    node.set_clock(8 * 3_600);
    node.pass(60);
    // A process that was stopped and continued.
    node.pass(600);
    node.pass(60);
    let range = read(&folder);
    assert_eq!(runs(&range), [("start", 0, 1), ("clock", 481, 482), ("paused", 492, 492)]);
}
