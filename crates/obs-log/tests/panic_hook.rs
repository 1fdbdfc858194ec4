//! Panic hook that logs. Alone in its binary, because a process has one hook.

use std::fmt;
use std::panic::{self, catch_unwind};
use std::time::Duration;

use obs_log::{Config, Console, configure, error, flush, info};

struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        panic!("inside a Display")
    }
}

#[test]
fn logging_from_the_panic_hook_gives_one_clean_line_each() {
    panic::set_hook(Box::new(|panic| error!(from = "the hook"; "{}", panic.payload_as_str().unwrap_or("?"))));
    let dir = tempfile::tempdir().unwrap();
    let _guard = configure(&Config::new(dir.path()).console(Console::Off)).unwrap();
    assert!(catch_unwind(|| panic!("outside")).is_err());
    info!(field:% = Panics; "{}", Panics);
    // Several at once, of which each waits for its own lines.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(catch_unwind(|| panic!("at once")).is_err()));
        }
    });
    assert!(flush(Duration::from_secs(60)));
    let mut files = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let day = files.find(|path| path.extension().is_some()).unwrap();
    let text = std::fs::read_to_string(day).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: Vec<_> = lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    let mut expected =
        vec!["outside", "inside a Display", "inside a Display", "half[panicked while formatting]"];
    expected.extend(["at once"; 4]);
    assert_eq!(messages, expected);
    assert_eq!(lines[3]["field"], "[panicked while formatting]");
}
