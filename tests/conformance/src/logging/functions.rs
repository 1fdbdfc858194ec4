//! The functions of `obs-log`, as a program calls them.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use obs_log::{Capture, Config, Console, Logger, Secret, exception, get_logger, log, warn_limited};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::case::{Outcome, contains, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::log_line::Line;

static ROUTER: Logger = Logger::new("hearthnet.bus.router");
static HERE: Logger = Logger::new(module_path!());

/// Configures a log in a folder of its own at this level and returns its lines.
fn logged(level: &str, log: impl FnOnce()) -> Outcome<Vec<Line>> {
    let dir = TempDir::new()?;
    let guard = obs_log::configure(&config(dir.path(), level))?;
    log();
    ensure(obs_log::flush(Duration::from_secs(5)), "a flush within 5 s", "none")?;
    let lines = read(dir.path());
    drop(guard);
    lines
}

fn config(dir: &Path, level: &str) -> Config {
    Config::new(dir).level(level).console(Console::Off)
}

fn read(dir: &Path) -> Outcome<Vec<Line>> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(day) =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".log"))
        else {
            continue;
        };
        for text in std::fs::read_to_string(&path)?.lines() {
            lines.push(Line::parse(text, Some(day)).map_err(|fault| failed(fault, text))?);
        }
    }
    Ok(lines)
}

/// Returns the lines of a capture. Fails on a line that is not of the specified form.
fn captured(log: impl FnOnce()) -> Outcome<Vec<Line>> {
    let capture = Capture::new();
    let scope = capture.enter();
    log();
    drop(scope);
    let parse =
        |text: &String| Line::parse(text.trim_end(), None).map_err(|fault| failed(fault, text.as_str()));
    capture.text().iter().map(parse).collect()
}

/// Each line is JSON with the expected fields.
pub(super) fn json_lines(_lab: &Lab) -> Outcome {
    let lines = logged("trace", || {
        log::info!(logger: ROUTER, capability = "llm.chat", to = "7H4G-Y9KL", ms = 12; "routed");
        log::trace!(logger: HERE, "a trace");
        log::debug!(logger: get_logger("hearthnet.bus"), "a debug");
        log::warn!(logger: ROUTER, ok = false, ratio = 0.5; "a warning");
        log::error!(target: "third_party::module", code = -1; "an {}", "error");
    })?;
    let lines: Vec<_> = lines.iter().filter(|line| !line.logger().starts_with("obs_")).collect();
    let outline: Vec<_> = lines.iter().map(|line| (line.level(), line.logger(), line.msg())).collect();
    let expected = vec![
        ("info", "hearthnet.bus.router", "routed"),
        ("trace", "conformance.logging.functions", "a trace"),
        ("debug", "hearthnet.bus", "a debug"),
        ("warning", "hearthnet.bus.router", "a warning"),
        ("error", "third_party.module", "an error"),
    ];
    equal("level, logger and message of the lines", outline, expected)?;
    let fields = |line: &Line| Value::Object(line.members.iter().skip(4).cloned().collect());
    equal("the keys of the first line's fields", lines[0].field_keys(), vec!["capability", "to", "ms"])?;
    equal("its fields", fields(lines[0]), json!({"capability": "llm.chat", "to": "7H4G-Y9KL", "ms": 12}))?;
    equal("fields of the warning", fields(lines[3]), json!({"ok": false, "ratio": 0.5}))?;
    equal("fields of the error", fields(lines[4]), json!({"code": -1}))
}

/// A line with any fields is one object without repeated keys, and keeps every value that JSON can hold.
pub(super) fn any_field(_lab: &Lab) -> Outcome {
    let every_control: String =
        (0..0x20).map(char::from).chain(['\u{7f}', '\u{85}', '\u{2028}', '"', '\\', '\u{1F98A}']).collect();
    let long = "x".repeat(1 << 16);
    let nested = json!({"a": [1, {"b": null}], "c": "d"});
    let lines = captured(|| {
        log::info!(logger: ROUTER, text = every_control.as_str(); "{}", every_control);
        log::info!(logger: ROUTER, ts = 1, level = 2, logger = 3, msg = 4, trace_id = 5; "reserved keys");
        log::info!(logger: ROUTER, a = 1, b = 2, a = 3; "a repeated key");
        log::info!(logger: ROUTER, nan = f64::NAN, inf = f64::INFINITY, least = i64::MIN, most = u64::MAX, more = u128::MAX; "odd numbers");
        log::info!(logger: ROUTER, nested:serde = nested; "a nested value");
        log::info!(logger: ROUTER, long = long.as_str(); "a long value");
        log::info!(logger: ROUTER, r#type = "raw"; "a raw identifier");
    })?;
    equal("lines", lines.len(), 7)?;
    equal("the message with every control character", lines[0].msg(), every_control.as_str())?;
    equal("the field with every control character", lines[0].text("text"), Some(every_control.as_str()))?;
    equal("fields with reserved keys", lines[1].field_keys().len(), 5)?;
    ensure(
        lines[1].field_keys().iter().all(|key| !["ts", "level", "logger", "msg"].contains(key)),
        "prefixed keys",
        &lines[1],
    )?;
    equal("a repeated field keeps the last", lines[2].get("a"), Some(&json!(3)))?;
    equal("odd numbers", lines[3].field_keys(), vec!["nan", "inf", "least", "most", "more"])?;
    equal("a nested value stays an object", lines[4].get("nested"), Some(&nested))?;
    equal("a raw identifier loses its mark", lines[6].text("type"), Some("raw"))
}

/// Error with a chain of causes.
#[derive(Debug)]
struct Deep(u8);

impl fmt::Display for Deep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}", self.0)
    }
}

impl std::error::Error for Deep {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        const CAUSES: [Deep; 3] = [Deep(1), Deep(2), Deep(3)];
        static ALL: [Deep; 3] = CAUSES;
        ALL.get(usize::from(self.0)).map(|cause| cause as _)
    }
}

/// `exception!` logs type, message, causes and backtrace at level `error`.
pub(super) fn exceptions(_lab: &Lab) -> Outcome {
    let lines = captured(|| {
        let err = Deep(0);
        exception!(ROUTER, err, capability = "llm.chat"; "forwarding failed");
        let boxed: Box<dyn std::error::Error> = Box::new(Deep(2));
        exception!(ROUTER, boxed; "a boxed error");
    })?;
    let line = lines.first().ok_or_else(|| failed("a line", "none"))?;
    equal("level and message", (line.level(), line.msg()), ("error", "forwarding failed"))?;
    equal("the first field", line.text("capability"), Some("llm.chat"))?;
    equal("the error's message", line.text("error"), Some("fault 0"))?;
    contains("the error's type", line.text("error_type").unwrap_or_default(), "Deep")?;
    equal("its causes", line.get("causes"), Some(&json!(["fault 1", "fault 2", "fault 3"])))?;
    ensure(line.text("backtrace").is_some_and(|text| !text.is_empty()), "a backtrace", line)?;
    equal("the boxed error's message", lines.get(1).and_then(|line| line.text("error")), Some("fault 2"))
}

/// A limited logger writes one line a second for each message key. The next line has the number of suppressed ones.
pub(super) fn rate_limit(_lab: &Lab) -> Outcome {
    let lines = captured(|| {
        let warn = |key: &str| warn_limited!(ROUTER, key, node = "7H4G"; "peer is quarantined");
        (0..1_000).for_each(|_| warn("peer_quarantined"));
        warn("another key");
        std::thread::sleep(Duration::from_millis(1_100));
        warn("peer_quarantined");
    })?;
    equal("lines", lines.len(), 3)?;
    let suppressed: Vec<_> =
        lines.iter().map(|line| line.get("suppressed").and_then(Value::as_u64)).collect();
    equal("suppressed on each", suppressed, vec![None, None, Some(999)])
}

/// A secret value and a field with a secret's name are redacted.
pub(super) fn secrets(_lab: &Lab) -> Outcome {
    let lines = captured(|| {
        let key = Secret::new("hunter2");
        log::info!(logger: ROUTER, key:% = key, debug:? = key, password = "hunter2", user = "ada"; "signed in");
    })?;
    let line = lines.first().ok_or_else(|| failed("a line", "none"))?;
    ensure(!format!("{line:?}").contains("hunter2"), "no secret in the line", line)?;
    let redacted = ["key", "password"].map(|key| line.text(key));
    equal("redacted fields", redacted, [Some("[redacted]"); 2])?;
    equal("another field", line.text("user"), Some("ada"))
}

/// A second `configure` with another level applies to later lines, for one logger and the loggers below it.
pub(super) fn levels(_lab: &Lab) -> Outcome {
    let dir = TempDir::new()?;
    let bus = get_logger("hearthnet.bus.router");
    let llm = get_logger("hearthnet.llm");
    let mut guards = Vec::new();
    for (round, level) in ["info", "info", "info,hearthnet.bus=debug", "error", "off"].into_iter().enumerate()
    {
        guards.push(obs_log::configure(&config(dir.path(), level))?);
        log::debug!(logger: bus, round = round; "bus debug");
        log::debug!(logger: llm, round = round; "llm debug");
        log::info!(logger: llm, round = round; "llm info");
        log::error!(logger: llm, round = round; "llm error");
    }
    ensure(obs_log::flush(Duration::from_secs(5)), "a flush within 5 s", "none")?;
    let lines = read(dir.path())?;
    let rounds = |msg: &str| {
        let of_message = lines.iter().filter(|line| line.msg() == msg);
        of_message.filter_map(|line| line.get("round").and_then(Value::as_u64)).collect::<Vec<_>>()
    };
    equal("rounds with a debug line of the bus", rounds("bus debug"), vec![2])?;
    equal("rounds with a debug line of the llm", rounds("llm debug"), Vec::<u64>::new())?;
    equal("rounds with an info line of the llm", rounds("llm info"), vec![0, 1, 2])?;
    equal("rounds with an error line of the llm", rounds("llm error"), vec![0, 1, 2, 3])
}

/// A bad setting is a typed error with the field and the value or folder.
pub(super) fn bad_settings(_lab: &Lab) -> Outcome {
    let dir = TempDir::new()?;
    for level in ["loud", "", "info,=debug", "info,hearthnet.bus=loud", "info,hearthnet.bus"] {
        let Err(err) = obs_log::configure(&config(dir.path(), level)) else {
            return Err(failed(format!("an error for the level {level:?}"), "none"));
        };
        contains("the field", err.field(), "level")?;
        contains("the error", &err.to_string(), level.rsplit([',', '=']).next().unwrap_or_default())?;
    }
    let occupied = dir.path().join("occupied");
    std::fs::write(&occupied, "a file")?;
    for folder in [occupied.join("log"), occupied] {
        let Err(err) = obs_log::configure(&config(&folder, "info")) else {
            return Err(failed(format!("an error for the folder {}", folder.display()), "none"));
        };
        contains("the field", err.field(), "dir")?;
        contains("the error", &err.to_string(), &folder.display().to_string())?;
    }
    Ok(())
}
