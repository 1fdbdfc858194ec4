use std::time::{Duration, Instant};

use chrono::DateTime;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use serde_json::{Value, json};

use super::*;
use crate::cli::terminal_unsafe::UNSAFE;
use crate::cli::top::keys::Key;
use crate::cli::top::model::Status;
use crate::cli::top::state::Outcome;

/// Sizes of terminals, from usual ones to none at all.
const SIZES: [(u16, u16); 9] =
    [(80, 24), (120, 40), (40, 10), (20, 5), (1, 1), (3, 40), (200, 2), (0, 0), (500, 3)];

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-05-26T08:14:22Z").unwrap().with_timezone(&Utc)
}

fn sample() -> Value {
    json!({
        "version": 1,
        "node": {
            "id": "ed25519:7H4GABCDEFGHJKMNK9LM", "name": "ada", "profile": "home", "version": "0.1.0",
            "commit": "3f2c1ab", "pid": 4711, "uptime_seconds": 273_600,
        },
        "last_run": { "ended": "killed", "at": "2026-05-23T04:00:00Z", "recovered_lines": 12 },
        "capabilities": [
            { "name": "llm.chat", "node": "ed25519:7H4GABCDEFGHJKMNK9LM", "local": true },
            { "name": "rag.query", "node": "ed25519:BBBBBBBBBBBB", "local": false },
        ],
        "peers": [
            { "node_id": "ed25519:BBBBBBBBBBBB", "name": "bob", "url": "http://192.168.1.12:7080",
              "state": "answers", "since": "2026-05-26T07:00:00Z", "error": null },
            { "node_id": null, "name": null, "url": "http://192.168.1.40:7080", "state": "silent",
              "since": "2026-05-26T08:00:22Z", "error": "connection refused" },
        ],
        "recent": {
            "window_seconds": 300, "requests": 1514, "errors": 38,
            "requests_since_start": 9_000, "errors_since_start": 100,
            "by_capability": [
                { "capability": "llm.chat", "requests": 1204, "errors": 37, "p50_ms": 840.2, "p95_ms": 3200,
                  "p99_ms": 12_030, "in_flight": 2 },
                { "capability": "rag.query", "requests": 310, "errors": 1, "p50_ms": 12.3, "p95_ms": 60,
                  "p99_ms": 90.4, "in_flight": 0 },
            ],
            "causes": [
                { "capability": "llm.chat", "code": "partition", "count": 37, "last_at": "2026-05-26T08:14:19Z",
                  "cause": "connect http://127.0.0.1:11434: connection refused",
                  "trace_id": "01M8A0G3D5K2VW2YF5NDMDVJVN" },
                { "capability": "rag.query", "code": "timeout", "count": 1, "last_at": "2026-05-26T08:14:20Z",
                  "cause": "no answer within 30 s", "trace_id": "01M8A0G3E348C4B0ZHM3A5BRTZ" },
            ],
        },
        "callers": { "window_seconds": 300, "top": [
            { "node_id": "ed25519:BBBBBBBBBBBB", "address": "192.168.1.12", "calls": 910, "refused": 0,
              "errors": 12 },
            { "node_id": null, "address": "192.168.1.40", "calls": 450, "refused": 212, "errors": 25 },
        ] },
        "disk": { "path": "/", "free_bytes": 73_000_000_000_u64, "total_bytes": 200_000_000_000_u64 },
        "drops": { "log_lines": 0, "log_lines_held_back": 9, "log_crash_safe": false, "spans": 41, "export": { "dropped": 7, "failing": true } },
        "exports": [{ "signal": "traces", "dropped": 7, "failed": 0, "failing_since": "2026-05-26T08:13:22Z" }],
        "checks": { "ran_at": "2026-05-26T08:13:22Z", "passed": 17, "skipped": 1, "failed": [
            { "name": "llm_backend_reachable", "detail": "connection refused", "fix": "start the model server" },
        ] },
        "problems": { "open": 8, "by_kind": { "call": 8 } },
        "calls_in_flight": 2,
    })
}

fn parsed(json: &Value, ascii: bool) -> Status {
    Status::parse(json.to_string().as_bytes(), ascii).unwrap()
}

fn state_of(json: &Value, ascii: bool) -> State {
    State::new(parsed(json, ascii), Instant::now(), now(), ascii, " --port 7081".to_owned())
}

/// Draws the state, and returns its lines without trailing blanks.
fn picture(state: &State, (width, height): (u16, u16), color: bool) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, now(), &Palette { color })).unwrap();
    let buffer = terminal.backend().buffer();
    let mut colors = buffer.content().iter().map(|cell| cell.fg);
    assert!(color || colors.all(|found| found == Color::Reset), "there is a colour");
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(row).collect()
}

fn press(state: &mut State, keys: &[Key]) {
    for key in keys {
        assert_eq!(state.press(*key, now()), Outcome::Stay, "{key:?}");
    }
}

#[track_caller]
fn has(lines: &[String], text: &str) {
    assert!(lines.iter().any(|line| line.contains(text)), "{text:?} is not in\n{}", lines.join("\n"));
}

#[test]
fn a_usual_terminal_shows_all_tables() {
    let lines = picture(&state_of(&sample(), false), (80, 24), true);
    for text in [
        "ada   8 problems open   up 3 d 4 h   ed25519:7H4G…K9LM",
        "in flight 2",
        "5 min: 1 514 calls, 2.5 % failed",
        "1 of 2 peers answer",
        "CAPABILITIES 2",
        "llm.chat",
        "840 ms",
        "CAUSES 2",
        "connect http://",
        ": connection refused",
        "CALLERS 2",
        "192.168.1.40 (unsigned)",
        "PEERS 2",
        "CHECKS AND LOSSES",
        "llm_backend_reachable",
        "spans lost",
        "traces not exported",
        "last run killed",
        " q quit",
    ] {
        has(&lines, text);
    }
    assert_eq!(lines.len(), 24);
}

/// A problem is what `hearthnet problems` lists. The table has checks and losses.
#[test]
fn problems_are_counted_apart_from_checks() {
    let mut json = sample();
    for (open, shown) in [(0, None), (1, Some("1 problem open")), (1234, Some("1 234 problems open"))] {
        json["problems"]["open"] = json!(open);
        let lines = picture(&state_of(&json, false), (120, 24), false);
        let found = lines.iter().find(|line| line.contains("problem"));
        assert_eq!(found.is_some(), shown.is_some(), "{lines:?}");
        shown.into_iter().for_each(|text| has(&lines, text));
        has(&lines, "up 3 d 4 h   ed25519:7H4G…K9LM   hearthnet 0.1.0 (3f2c1ab)   home");
    }
}

#[test]
fn every_size_every_state_and_every_key_make_a_picture() {
    let keys = [
        Key::Char('j'),
        Key::Tab,
        Key::Char('s'),
        Key::Enter,
        Key::PageDown,
        Key::Enter,
        Key::Char('?'),
        Key::End,
        Key::Char('?'),
        Key::Char('p'),
        Key::Up,
        Key::BackTab,
    ];
    for json in [sample(), json!({ "node": {} })] {
        for (index, size) in SIZES.into_iter().enumerate() {
            let mut state = state_of(&json, index % 2 == 0);
            for key in keys {
                press(&mut state, &[key]);
                picture(&state, size, index % 3 == 0);
            }
            state.take(Err("connection refused".to_owned()), Instant::now(), now());
            press(&mut state, &[Key::Char('p')]);
            for _ in Kind::ALL {
                press(&mut state, &[Key::Tab]);
                picture(&state, size, true);
            }
        }
    }
}

#[test]
fn a_small_terminal_shows_the_table_with_the_focus() {
    let mut state = state_of(&sample(), false);
    let lines = picture(&state, (40, 10), true);
    has(&lines, "CAPABILITIES");
    assert!(!lines.iter().any(|line| line.contains("CAUSES")), "{lines:?}");
    press(&mut state, &[Key::Tab]);
    has(&picture(&state, (40, 10), true), "CAUSES");
    has(&picture(&state, (20, 5), true), "CAUSES");
    has(&picture(&state, (20, 1), true), "ada");
}

#[test]
fn texts_from_elsewhere_are_harmless() {
    let text: String = UNSAFE.iter().flat_map(|letter| [*letter, 'a', '[']).collect();
    let json = json!({
        "node": { "id": text, "name": text, "profile": text, "version": text, "commit": text },
        "last_run": { "ended": "killed", "at": text },
        "capabilities": [{ "name": text, "node": text }],
        "peers": [{ "node_id": text, "name": text, "url": text, "state": text, "since": text, "error": text }],
        "recent": {
            "by_capability": [{ "capability": text }],
            "causes": [{
                "capability": text, "code": text, "cause": text, "first_at": text, "last_at": text, "trace_id": text,
            }],
        },
        "callers": { "top": [{ "node_id": text, "address": text }] },
        "drops": { text.clone(): 1 },
        "checks": { "ran_at": text, "failed": [{ "name": text, "detail": text, "fix": text }] },
    });
    for ascii in [false, true] {
        let mut state = state_of(&json, ascii);
        for _ in Kind::ALL {
            for key in [Key::Enter, Key::Enter, Key::Tab] {
                let shown = picture(&state, (300, 30), true);
                let found: Vec<_> =
                    UNSAFE.iter().filter(|letter| shown.iter().any(|line| line.contains(**letter))).collect();
                assert!(found.is_empty(), "{found:?} are in\n{}", shown.join("\n"));
                assert!(!ascii || shown.iter().all(|line| line.is_ascii()), "{}", shown.join("\n"));
                press(&mut state, &[key]);
            }
        }
    }
}

#[test]
fn fields_of_other_types_hide_nothing_else() {
    let mut json = sample();
    let odd = [json!(null), json!("x"), json!(-1), json!([[]]), json!({ "a": [1] }), json!(1e300)];
    for (name, value) in sample().as_object().unwrap() {
        for odd in &odd {
            json[name] = odd.clone();
            if let Some(status) = Status::parse(json.to_string().as_bytes(), false) {
                let state = State::new(status, Instant::now(), now(), false, String::new());
                picture(&state, (80, 24), true);
                assert!(name == "peers" || state.shown().status.peers.len() == 2);
            }
        }
        json[name] = value.clone();
    }
    for body in ["", "[]", "{}", "<html>", "{\"node\":3}", &"[".repeat(100_000)] {
        assert_eq!(Status::parse(body.as_bytes(), false), None);
    }
}

#[test]
fn a_long_answer_is_bounded() {
    let many: Vec<Value> =
        (0..5_000).map(|n| json!({ "capability": format!("c{n}"), "requests": n })).collect();
    let long = "ü".repeat(100_000);
    let json = json!({ "node": { "name": long }, "recent": { "by_capability": many } });
    let status = parsed(&json, false);
    assert_eq!(status.capabilities.len(), 1_000);
    assert_eq!(status.node.name.chars().count(), 1_001);
    let mut state = state_of(&json, false);
    press(&mut state, &[Key::End]);
    has(&picture(&state, (80, 24), true), "of 1000");
    has(&picture(&state, (80, 24), true), "c0");
}

#[test]
fn the_cursor_stays_on_its_row_when_the_order_changes() {
    let mut state = state_of(&sample(), false);
    press(&mut state, &[Key::Char('j'), Key::Enter]);
    has(&picture(&state, (80, 24), false), "rag.query");
    press(&mut state, &[Key::Escape]);
    let mut json = sample();
    json["recent"]["by_capability"][1]["requests"] = json!(9_999);
    state.take(Ok(parsed(&json, false)), Instant::now(), now());
    let rows = state.table(Kind::Capabilities, now()).rows;
    assert_eq!(rows[0].key, "rag.query");
    assert_eq!(state.cursor(Kind::Capabilities, &rows), 0);
    // A new order is read from its top.
    press(&mut state, &[Key::Char('s')]);
    let table = state.table(Kind::Capabilities, now());
    assert_eq!((table.rows[0].key.as_str(), state.cursor(Kind::Capabilities, &table.rows)), ("llm.chat", 0));
}

#[test]
fn a_cause_shows_the_command_for_its_trace() {
    let mut state = state_of(&sample(), false);
    press(&mut state, &[Key::Tab, Key::Enter]);
    let lines = picture(&state, (100, 24), true);
    has(&lines, "hearthnet trace show 01M8A0G3D5K2VW2YF5NDMDVJVN --port 7081");
    has(&lines, "Esc close");
    press(&mut state, &[Key::Enter]);
    assert_eq!(state.overlay, None);
}

#[test]
fn a_pause_keeps_the_values() {
    let mut state = state_of(&sample(), false);
    press(&mut state, &[Key::Char('p')]);
    let mut json = sample();
    json["recent"]["requests"] = json!(77);
    state.take(Ok(parsed(&json, false)), Instant::now(), now());
    let lines = picture(&state, (80, 24), true);
    has(&lines, "PAUSED");
    has(&lines, "1 514 calls");
    press(&mut state, &[Key::Char('p')]);
    has(&picture(&state, (80, 24), true), "77 calls");
}

#[test]
fn a_node_that_goes_away_and_comes_back() {
    let mut state = state_of(&sample(), true);
    let begin = Instant::now();
    state.take(Err("connection refused".to_owned()), begin, now());
    let lines = picture(&state, (80, 24), false);
    has(&lines, "NO ANSWER since");
    has(&lines, "connection refused");
    has(&lines, "llm.chat");
    has(&picture(&state, (20, 1), false), "NO ANSWER");
    state.take(Ok(parsed(&sample(), true)), begin, now());
    state.take(Ok(parsed(&sample(), true)), begin + Duration::from_secs(2), now());
    let lines = picture(&state, (80, 24), false);
    assert!(!lines.iter().any(|line| line.contains("NO ANSWER")), "{lines:?}");
    has(&lines, "requests/s     0");
    assert!(lines.iter().all(|line| line.is_ascii()), "{lines:?}");
}

#[test]
fn space_is_shared_among_tables() {
    assert_eq!(share(&[3, 3, 3], 20, None), (vec![3, 3, 3], 1));
    assert_eq!(share(&[30, 3, 3], 20, None), (vec![14, 3, 3], 0));
    assert_eq!(share(&[30, 30], 20, Some(1)), (vec![8, 12], 0));
    assert_eq!(share(&[30], 1, Some(0)), (vec![1], 0));
    assert_eq!(share(&[], 9, None), (vec![], 0));
}

#[test]
fn keys_end_the_view() {
    let mut state = state_of(&sample(), false);
    for key in [Key::Char('q'), Key::Escape, Key::Ctrl('c')] {
        assert_eq!(state.press(key, now()), Outcome::Quit);
    }
    assert_eq!(state.press(Key::Ctrl('z'), now()), Outcome::Suspend);
    // A box is closed first, but Ctrl-C and q always end the view.
    press(&mut state, &[Key::Char('?'), Key::Escape, Key::Char('?')]);
    assert_eq!(state.press(Key::Char('q'), now()), Outcome::Quit);
}
