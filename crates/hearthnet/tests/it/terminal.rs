//! Output on a terminal, which must not obey text from elsewhere.

use std::fs;

use serde_json::json;

use crate::node::Home;
use crate::pty;
use crate::terminal_unsafe::UNSAFE;

/// Returns a home whose log holds every unsafe character, raw where JSON allows it, and a damaged line.
fn hostile_home() -> (Home, String) {
    let home = Home::new();
    fs::create_dir_all(home.log()).unwrap();
    let line = |letter: &char| {
        json!({
            "ts": "2026-05-26T08:14:22.281Z", "level": "info", "logger": format!("hearthnet.{letter}bus"),
            "msg": format!("a{letter}[2J"), "trace_id": format!("{letter}01HXR3F2M9Z5T1V8Q4W7N6K0JD"),
            format!("{letter}key"): format!("v{letter}"),
        })
        .to_string()
            + "\n"
    };
    let lines: String = UNSAFE.iter().map(line).collect();
    fs::write(home.log().join("2026-05-26.log"), &lines).unwrap();
    fs::write(home.log().join("2026-05-26.log-20260527"), "{\u{9b}31m\n").unwrap();
    (home, lines)
}

fn at_a_terminal(home: &Home, words: &[&str]) -> String {
    let mut command = home.command(words);
    command.env("NO_COLOR", "1").env("HEARTHNET_PAGER", "cat");
    pty::run(command, 200, "").0
}

#[test]
fn a_log_is_shown_with_unsafe_characters_as_escapes() {
    let (home, lines) = hostile_home();
    for words in [&["log"][..], &["log", "--json"]] {
        let shown = at_a_terminal(&home, words);
        // The terminal itself ends each line with CR and LF.
        let text = shown.replace("\r\n", "\n");
        let found: Vec<_> = UNSAFE.iter().filter(|letter| text.contains(**letter)).collect();
        assert!(found.is_empty(), "{words:?}: {found:?}");
        assert!(text.lines().count() > UNSAFE.len(), "{words:?}: {text}");
    }
    let piped = home.run(&["log", "--json"]);
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), lines, "a program gets the bytes of the file");
}
