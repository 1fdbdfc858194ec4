//! Numbers of suppressed lines appear by themselves. Alone in its binary, because a line of another test would wake the writer.

use std::fs;
use std::time::{Duration, Instant};

use obs_log::{Config, Logger, warn_limited};

static LOG: Logger = Logger::new("hearthnet.limits");

#[test]
fn the_number_of_lines_held_back_appears_without_a_further_line() {
    let dir = tempfile::tempdir().unwrap();
    let guard = obs_log::configure(&Config::new(dir.path())).unwrap();
    for call in 0..1000 {
        warn_limited!(LOG, "refused", call = call; "a call is refused");
    }
    let last = Instant::now();
    let lines = || -> Vec<serde_json::Value> {
        let mut files = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
        let day = files.find(|path| path.extension().is_some_and(|end| end == "log"));
        let text = day.map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let report = loop {
        let lines = lines();
        let of_key =
            |line: &&serde_json::Value| line["msg"] == "lines suppressed" && line["key"] == "refused";
        if let Some(line) = lines.iter().find(of_key) {
            break line.clone();
        }
        assert!(last.elapsed() < Duration::from_secs(60), "{lines:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!((&report["level"], &report["logger"]), (&"warning".into(), &"hearthnet.limits".into()));
    let told: u64 = lines().iter().filter_map(|line| line["suppressed"].as_u64()).sum();
    let passed = lines().iter().filter(|line| line["msg"] == "a call is refused").count() as u64;
    assert_eq!(passed + told, 1000);
    // An idle machine takes 3 to 5 s.
    assert!(last.elapsed() < Duration::from_secs(10), "{:?}", last.elapsed());
    drop(guard);
    assert_eq!(
        lines().iter().filter(|line| line["msg"] == "lines suppressed").count(),
        1,
        "it is reported once"
    );
}
