//! The history of a node: written by real runs, shown by `hearthnet history`.

use std::fs;

use serde_json::{Value, json};

use crate::node::{ECHO, Home, text_of};

fn document(home: &Home, args: &[&str]) -> Value {
    let output = home.run(&[&["history", "--json"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the calls of all steps.
fn calls(document: &Value, capability: &str) -> f64 {
    let rows = document["rows"].as_array().unwrap();
    let rows = rows.iter().filter(|row| row["capability"] == capability);
    rows.map(|row| row["calls"].as_f64().unwrap()).sum()
}

#[tokio::test]
async fn calls_outlive_the_node_and_a_restart_is_marked() {
    let node = Home::new().start("");
    for _ in 0..3 {
        node.call(ECHO, &json!({})).send().await.unwrap();
    }
    let home = node.stop();
    let node = home.start("");
    for _ in 0..2 {
        node.call(ECHO, &json!({})).send().await.unwrap();
    }
    node.signal("KILL");
    let (_, home) = node.wait();
    let third = home.start("");
    third.call(ECHO, &json!({})).send().await.unwrap();
    let home = third.stop();

    // The minute that was running at the kill is lost, unless it ended meanwhile.
    let shown = document(&home, &[]);
    let seen = calls(&shown, ECHO);
    assert!((4.0..=6.0).contains(&seen), "{shown}");
    assert!(shown["rows"][0]["p50_seconds"].as_f64().unwrap() > 0.0, "{shown}");
    let runs = shown["runs"].as_array().unwrap();
    assert!(runs.iter().all(|run| run["cause"] == "start"), "{shown}");
    assert!(
        runs.first().unwrap()["ended_in_order"] == true && runs.last().unwrap()["ended_in_order"] == true
    );

    let output = home.run(&["history", "--utc"]);
    let text = text_of(&output.stdout);
    assert!(text.contains(ECHO) && text.contains("-- node started"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn an_empty_result_says_why() {
    let home = Home::new();
    home.write_config("[observability]\nhistory = false");
    let output = home.run(&["history"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text_of(&output.stderr).contains("`[observability] history` is false"), "{output:?}");
    home.write_config("");
    let output = home.run(&["history"]);
    assert!(text_of(&output.stderr).contains("`hearthnet run` begins one"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));

    let node = home.start("");
    let home = node.stop();
    let output = home.run(&["history", "--capability", "llm"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text_of(&output.stderr).contains("no calls from"), "{output:?}");
    let output = home.run(&["history", "--since", "2001-01-01", "--until", "2001-01-02"]);
    assert!(text_of(&output.stderr).contains("the history begins at"), "{output:?}");
    let output = home.run(&["history", "--since", "1h", "--until", "2h"]);
    assert_eq!(output.status.code(), Some(2));

    fs::write(folder(&home).join("minutes.sqlite"), "no database, but long enough for a header of one")
        .unwrap();
    let output = home.run(&["history"]);
    assert!(text_of(&output.stderr).contains("damaged"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

/// A node keeps no history if it is told so, and takes a folder that it cannot use for no reason to stop.
#[tokio::test]
async fn a_history_is_optional_and_never_stops_a_node() {
    let node = Home::new().start("[observability]\nhistory = false");
    assert_eq!(node.metric("hearthnet_history_records_written_total", "").await, None);
    let home = node.stop();
    assert!(!folder(&home).exists());
    fs::write(folder(&home), "a file in place of the folder").unwrap();
    let node = home.start("");
    node.call(ECHO, &json!({})).send().await.unwrap();
    assert!(node.metric("hearthnet_history_write_errors_total", "").await.is_some());
    let home = node.stop();
    let warned = home.lines().into_iter().filter(|line| {
        line["msg"].as_str().is_some_and(|message| message.contains("the history cannot be written"))
    });
    assert_eq!(warned.count(), 1, "it says so once");
}

/// Folder of the history, beside that of the log.
fn folder(home: &Home) -> std::path::PathBuf {
    home.log().with_file_name("history")
}
