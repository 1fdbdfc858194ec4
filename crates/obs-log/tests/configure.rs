//! `configure` on the one logger of the process. The tests take turns, because its subject is global.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use obs_log::{
    Config, Console, ErrorKind, Guard, Logger, configure, debug, error, flush, get_logger, info, log_enabled,
    stats, warn,
};

static BUS: Logger = Logger::new("hearthnet::bus::router");

/// Turn of a test, with a folder of its own.
struct Turn {
    dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    fn take() -> Turn {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        static FIRST: Once = Once::new();
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        FIRST.call_once(|| {
            info!("before the first configure");
            assert_eq!((stats().written, stats().dropped), (0, 0), "it goes nowhere");
        });
        Turn { dir: tempfile::tempdir().unwrap(), _turn: turn }
    }

    /// Settings for a folder of this turn.
    fn config(&self, folder: &str) -> Config {
        Config::new(self.dir.path().join(folder)).console(Console::Off)
    }

    /// Returns the text of the folder's day file, once all lines are written.
    fn text(&self, folder: &str) -> String {
        assert!(flush(Duration::from_secs(10)));
        let mut files =
            fs::read_dir(self.dir.path().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        fs::read_to_string(files.find(|path| path.extension().is_some()).unwrap()).unwrap()
    }

    fn messages(&self, folder: &str) -> Vec<String> {
        let message = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["msg"].as_str().unwrap().to_owned()
        };
        self.text(folder).lines().map(message).collect()
    }
}

#[test]
fn a_level_holds_for_a_name_and_the_names_below_it() {
    let turn = Turn::take();
    let _guard = configure(&turn.config("log").level("info,hearthnet.bus=debug,noisy=off")).unwrap();
    debug!(logger: BUS, "bus debug");
    debug!(logger: get_logger("hearthnet.bus"), "bus debug by name");
    debug!(target: "hearthnet.bus.x", "bus debug by target");
    debug!(logger: get_logger("hearthnet.business"), "not below bus");
    debug!("not debug");
    warn!(target: "noisy::part", "off");
    info!("info");
    assert!(log_enabled!(logger: BUS, log::Level::Debug) && !log_enabled!(log::Level::Debug));
    assert_eq!(turn.messages("log"), ["bus debug", "bus debug by name", "bus debug by target", "info"]);
}

#[test]
fn the_same_configuration_again_changes_nothing() {
    let turn = Turn::take();
    let config = turn.config("log");
    let before = stats().written;
    let guard = configure(&config).unwrap();
    let again = configure(&config).unwrap();
    info!("first");
    drop(guard);
    // Dropping the last guard flushes.
    drop(again);
    assert_eq!(stats().written, before + 1);
    info!("second");
    assert_eq!(turn.messages("log"), ["first", "second"]);
}

#[test]
fn an_error_names_the_setting_and_changes_nothing() {
    let turn = Turn::take();
    let config = turn.config("log").level("info,hearthnet.bus=debug");
    let _guard = configure(&config).unwrap();
    let refused = |config: &Config| {
        let error = configure(config).map(|_: Guard| ()).unwrap_err();
        assert!(!error.problem().is_empty() && !error.advice().is_empty(), "{error}");
        assert_eq!(error.to_string(), format!("{}: {}; {}", error.field(), error.problem(), error.advice()));
        (error.kind(), error.field().to_owned(), error.to_string())
    };
    let (kind, field, text) = refused(&config.clone().level("loud"));
    assert_eq!((kind, &*field), (ErrorKind::Level, "level"));
    assert_eq!(text, "level: `loud` is not a level; use off, error, warning, info, debug or trace");
    let file = turn.dir.path().join("file");
    fs::write(&file, "").unwrap();
    for bad in [file.as_path(), &file.join("below"), Path::new("/proc/nowhere")] {
        let (kind, field, text) = refused(&Config::new(bad));
        assert_eq!((kind, &*field), (ErrorKind::Folder, "dir"));
        assert!(text.contains(&bad.display().to_string()), "{text}");
    }
    for bytes in [5, usize::MAX] {
        let (kind, field, _) = refused(&config.clone().queue_bytes(bytes));
        assert_eq!((kind, &*field), (ErrorKind::Queue, "queue_bytes"));
    }
    let (kind, field, _) = refused(&config.clone().max_bytes(5));
    assert_eq!((kind, &*field), (ErrorKind::FileSize, "max_bytes"));
    debug!(logger: BUS, "still debug");
    assert_eq!(turn.messages("log"), ["still debug"]);
}

#[test]
fn a_new_level_takes_effect_at_once() {
    let turn = Turn::take();
    let config = turn.config("log").level("info,hearthnet.bus=debug");
    let _guard = configure(&config).unwrap();
    debug!(logger: BUS, "debug");
    let _quiet = configure(&config.level("error")).unwrap();
    warn!(logger: BUS, "too quiet");
    assert_eq!(log::max_level(), log::LevelFilter::Error);
    assert_eq!(turn.messages("log"), ["debug"]);
}

#[test]
fn an_override_is_live_survives_a_new_configuration_and_ends() {
    let turn = Turn::take();
    let config = turn.config("log");
    let _guard = configure(&config.clone().level("warning")).unwrap();
    debug!(logger: BUS, "before");
    obs_log::override_levels(Some("hearthnet.bus=debug")).unwrap();
    debug!(logger: BUS, "overridden");
    assert_eq!(log::max_level(), log::LevelFilter::Debug);

    let refused = obs_log::override_levels(Some("hearthnet.bus=loud")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Level);
    debug!(logger: BUS, "still overridden");

    // The same configuration again, and another one.
    let _again = configure(&config.clone().level("warning")).unwrap();
    let _reloaded = configure(&config.level("error,hearthnet.bus.router=off")).unwrap();
    debug!(logger: BUS, "overridden after a reload");
    assert_eq!(obs_log::levels_in_force().unwrap(), "error,hearthnet.bus=debug");
    assert_eq!(obs_log::configured_levels().unwrap(), "error,hearthnet.bus.router=off");

    obs_log::override_levels(None).unwrap();
    assert_eq!(obs_log::levels_in_force().unwrap(), "error,hearthnet.bus.router=off");
    assert_eq!(log::max_level(), log::LevelFilter::Error);
    error!(logger: BUS, "off again");
    assert_eq!(turn.messages("log"), ["overridden", "still overridden", "overridden after a reload"]);
}

#[test]
fn a_new_folder_loses_no_line() {
    let turn = Turn::take();
    let before = stats();
    let _first = configure(&turn.config("first")).unwrap();
    (0..1000).for_each(|_| info!("to the first"));
    let _second = configure(&turn.config("second").redact(["hidden"])).unwrap();
    info!(hidden = 1, password = 2; "to the second");
    assert_eq!(turn.messages("first").len(), 1000);
    assert_eq!(turn.messages("second"), ["to the second"]);
    let line = turn.text("second");
    assert!(line.ends_with("\"hidden\":\"[redacted]\",\"password\":2}\n"), "{line}");
    let after = stats();
    assert_eq!((after.written - before.written, after.dropped, after.write_errors), (1001, 0, 0));
    assert!(after.bytes - before.bytes > 90_000 && after.crash_safe);
}

/// A daemon changes its working directory after it has read its settings.
#[test]
fn a_relative_folder_is_resolved_when_it_is_given() {
    let turn = Turn::take();
    let elsewhere = turn.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let home = std::env::current_dir().unwrap();
    std::env::set_current_dir(turn.dir.path()).unwrap();
    let relative = Config::new("log").console(Console::Off);
    std::env::set_current_dir(&elsewhere).unwrap();
    let _guard = configure(&relative).unwrap();
    std::env::set_current_dir(home).unwrap();
    info!("line");
    assert_eq!(turn.messages("log"), ["line"]);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn the_last_source_of_trace_ids_wins() {
    let turn = Turn::take();
    let _guard = configure(&turn.config("log")).unwrap();
    let lines = || turn.text("log").lines().map(str::to_owned).collect::<Vec<_>>();
    obs_log::set_trace_id_source(|callback| callback("first"));
    info!("one");
    obs_log::set_trace_id_source(|callback| callback("01HXR3F2M9Z5T1V8Q4W7N6K0JD"));
    info!(trace_id = "mine"; "two");
    obs_log::set_trace_id_source(|callback| {
        callback("half");
        panic!("on purpose");
    });
    info!("three");
    obs_log::set_trace_id_source(|_| {});
    info!("four");
    let ends = [
        "\"msg\":\"one\",\"trace_id\":\"first\"}",
        "\"msg\":\"two\",\"trace_id\":\"01HXR3F2M9Z5T1V8Q4W7N6K0JD\",\"field_trace_id\":\"mine\"}",
        "\"msg\":\"three\"}",
        "\"msg\":\"four\"}",
    ];
    for (line, end) in lines().iter().zip(ends) {
        assert!(line.ends_with(end), "{line}");
    }
    assert_eq!(lines().len(), ends.len());
}

/// Loggers and messages that the observer of faults has seen.
static FAULTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
fn an_observer_sees_the_faults_that_reach_the_file_and_no_others() {
    let turn = Turn::take();
    let _guard = configure(&turn.config("log").level("info,quiet=off")).unwrap();
    obs_log::set_fault_observer(|logger, record| {
        FAULTS.lock().unwrap().push(format!("{} {logger} {}", record.level(), record.args()));
    });
    info!(logger: BUS, ms = 1; "no fault");
    warn!(logger: BUS, ms = 2; "slow");
    error!(logger: BUS, ms = 3; "broken {}", 4);
    error!(target: "quiet", "the levels hold it back");
    let capture = obs_log::Capture::new();
    let scope = capture.enter();
    error!(logger: BUS, ms = 5; "in a test");
    drop(scope);
    log::error!(target: "other::place", "of the log crate");
    let router = "hearthnet::bus::router";
    let seen = std::mem::take(&mut *FAULTS.lock().unwrap());
    assert_eq!(
        seen,
        [
            format!("WARN {router} slow"),
            format!("ERROR {router} broken 4"),
            "ERROR other::place of the log crate".to_owned(),
        ]
    );
}
