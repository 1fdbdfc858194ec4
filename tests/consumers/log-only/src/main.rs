//! A program with logging only. It counts the words of some texts, logs that, and reads its day file back.
//!
//! It ends with exit code 0 when the file's lines are right.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use obs_log::{Config, Console, Logger, exception, log, warn_limited};

static LOG: Logger = Logger::new(module_path!());

const TEXTS: [(&str, &str); 3] = [("short", "one two three"), ("empty", ""), ("number", "7080")];

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("log-only-{}", std::process::id()));
    let outcome = work(&dir);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn work(dir: &Path) -> Result<(), Box<dyn Error>> {
    let _guard = obs_log::configure(&Config::new(dir).level("info,log_only=debug").console(Console::Off))?;
    for (name, text) in TEXTS {
        count(name, text);
    }
    log::info!(target: "third.party", done = true; "plain users of log need not change a line");

    if !obs_log::flush(Duration::from_secs(5)) {
        return Err("the log was not written within 5 s".into());
    }
    check(&std::fs::read_to_string(day_file(dir)?)?)
}

fn count(name: &str, text: &str) {
    let words = text.split_whitespace().count();
    log::debug!(logger: LOG, text = name, words = words; "counted");
    if words == 0 {
        for _ in 0..100 {
            warn_limited!(LOG, "empty_text", text = name; "nothing to count");
        }
    }
    if let Err(err) = text.parse::<u16>() {
        exception!(LOG, err, text = name; "no port in this text");
    }
}

fn day_file(dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let files: Vec<_> = std::fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    let mut logs =
        files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.next().ok_or_else(|| "no day file".into())
}

/// Checks for three counts, one warning in place of a hundred, two texts without a port, and a third-party line.
fn check(text: &str) -> Result<(), Box<dyn Error>> {
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<serde_json::Value>, _>>()?;
    let with = |key: &str, value: &str| lines.iter().filter(|line| line[key] == value).count();
    let found = [
        with("msg", "counted"),
        with("msg", "nothing to count"),
        with("error_type", "core::num::error::ParseIntError"),
        with("logger", "third.party"),
    ];
    if found == [3, 1, 2, 1] { Ok(()) } else { Err(format!("{found:?} in {text}").into()) }
}
