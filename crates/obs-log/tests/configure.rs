//! `configure` on the process's one logger; a single test, because its subject is global (L6, L13, T9).

use std::fs;
use std::path::Path;
use std::time::Duration;

use obs_log::{
    Config, Console, ErrorKind, Logger, configure, debug, flush, get_logger, info, log_enabled, stats, warn,
};

static BUS: Logger = Logger::new("hearthnet::bus::router");

fn day_file(dir: &Path) -> String {
    let mut files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    fs::read_to_string(files.find(|path| path.extension().is_some()).unwrap()).unwrap()
}

fn messages(dir: &Path) -> Vec<String> {
    assert!(flush(Duration::from_secs(10)));
    let mut messages = Vec::new();
    for line in day_file(dir).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        messages.push(line["msg"].as_str().unwrap().to_owned());
    }
    messages
}

#[test]
fn configure_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    info!("before configure: goes nowhere");
    let config = Config::new(&first).console(Console::Off).level("info,hearthnet.bus=debug,noisy=off");
    let guard = configure(&config).unwrap();

    // Levels by name, with dots and colons meaning the same (L6).
    debug!(logger: BUS, "bus debug");
    debug!(logger: get_logger("hearthnet.bus"), "bus debug by name");
    debug!(target: "hearthnet.bus.x", "bus debug by target");
    debug!(logger: get_logger("hearthnet.business"), "not below bus");
    debug!("not debug");
    warn!(target: "noisy::part", "off");
    info!("info");
    assert!(log_enabled!(logger: BUS, log::Level::Debug) && !log_enabled!(log::Level::Debug));
    assert_eq!(messages(&first), ["bus debug", "bus debug by name", "bus debug by target", "info"]);

    // The same again is a no-op, and its guard one of two.
    let again = configure(&config).unwrap();
    drop(guard);
    assert_eq!(stats().written, 4);

    // What is wrong is named, and nothing changes.
    let error = configure(&config.clone().level("loud")).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Level, "level"));
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for bad in [file.as_path(), &file.join("below"), Path::new("/proc/nowhere")] {
        let error = configure(&Config::new(bad)).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Folder, "dir"));
        assert!(error.to_string().contains(&bad.display().to_string()), "{error}");
    }
    let error = configure(&config.clone().queue_bytes(5)).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Queue, "queue_bytes"));
    let error = configure(&config.clone().queue_bytes(usize::MAX)).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Queue, "queue_bytes"));
    debug!(logger: BUS, "still debug");
    assert_eq!(messages(&first).len(), 5);

    // Levels change live, also for loggers that exist.
    let quiet = config.clone().level("error");
    let _quiet = configure(&quiet).unwrap();
    warn!(logger: BUS, "too quiet");
    assert_eq!(log::max_level(), log::LevelFilter::Error);

    // And so does the folder, without the loss of a line.
    let _moved = configure(&config.clone()).unwrap();
    for _ in 0..1000 {
        info!("to the first");
    }
    let _there = configure(&Config::new(&second).console(Console::Off).redact(["hidden"])).unwrap();
    info!(hidden = 1, password = 2; "to the second");
    assert_eq!(messages(&first).len(), 1005);
    assert_eq!(messages(&second), ["to the second"]);
    let line = day_file(&second);
    assert!(line.ends_with("\"hidden\":\"[redacted]\",\"password\":2}\n"), "{line}");

    // A relative folder stays where it was when the process goes elsewhere, as a daemon does.
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let home = std::env::current_dir().unwrap();
    std::env::set_current_dir(dir.path()).unwrap();
    let relative = Config::new("second").console(Console::Off).redact(["hidden"]);
    std::env::set_current_dir(&elsewhere).unwrap();
    let _same = configure(&relative).unwrap();
    std::env::set_current_dir(home).unwrap();
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);

    // The trace of a line (T9).
    assert!(obs_log::set_trace_id_source(|give| give("01HXR3F2M9Z5T1V8Q4W7N6K0JD")));
    info!(trace_id = "mine"; "traced");
    assert!(flush(Duration::from_secs(10)));
    let line = day_file(&second);
    let end = "\"msg\":\"traced\",\"trace_id\":\"01HXR3F2M9Z5T1V8Q4W7N6K0JD\",\"field_trace_id\":\"mine\"}\n";
    assert!(line.ends_with(end), "{line}");

    let stats = stats();
    assert_eq!((stats.written, stats.dropped, stats.write_errors), (1007, 0, 0));
    assert!(stats.bytes > 90_000 && stats.crash_safe);
    drop(again);
}
