//! Events of the `tracing` crate in a program on the facade, alone and beside other loggers and dispatchers.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use obs_facade::log::log;
use obs_facade::testing::Capture;
use obs_facade::{ErrorKind, ObservabilityConfig, trace};
use serde_json::Value;

/// Runs the test `name` of this file in a process of its own, because it installs what a process has once. `false` in that
/// process.
fn ran_alone(name: &str) -> bool {
    const ALONE: &str = "OBS_FACADE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return false;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let ended = child.args(["--exact", &format!("bridge::{name}")]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    true
}

/// Returns the lines of the day files, once they are written.
fn written(folder: &Path) -> Vec<Value> {
    assert!(obs_facade::log::flush(Duration::from_secs(20)));
    let mut days: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    days.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    days.sort();
    let text: String = days.iter().map(|day| std::fs::read_to_string(day).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["msg"].as_str().unwrap()).collect()
}

#[test]
fn an_event_is_a_line_of_the_day_file_with_the_current_trace() {
    if ran_alone("an_event_is_a_line_of_the_day_file_with_the_current_trace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path());
    let _guard = obs_facade::configure(&config).unwrap();
    let traced = trace::new_trace("llm.chat");
    let id = traced.id().to_string();
    traced.run(|| {
        tracing::warn!(target: "hyper::proto", peer = 7, "slow");
        tracing::debug!("too quiet");
    });
    let _guard = obs_facade::configure(&config.clone().log_level("debug")).unwrap();
    tracing::debug!("loud enough");
    let _guard = obs_facade::configure(&config.tracing(false)).unwrap();
    tracing::error!("turned off");

    let lines = written(folder.path());
    assert_eq!(messages(&lines), ["slow", "done", "loud enough"]);
    assert_eq!(lines[0]["logger"], "hyper.proto");
    assert_eq!((&lines[0]["level"], &lines[0]["peer"]), (&"warning".into(), &7.into()));
    assert_eq!(lines[0]["trace_id"], id);
}

#[test]
fn another_dispatcher_that_came_first_is_refused_with_the_remedy() {
    if ran_alone("another_dispatcher_that_came_first_is_refused_with_the_remedy") {
        return;
    }
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path().join("log"));
    let error = obs_facade::configure(&config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tracing(obs_facade::tracing::ErrorKind::OtherDispatcher));
    assert_eq!(error.field(), "tracing");
    for words in [
        "tracing::subscriber::set_global_default",
        "tracing_subscriber::fmt::init",
        "install_dispatcher(false)",
        "feature `tracing-layer`",
        ".with(obs_facade::tracing::layer())",
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(!error.to_string().contains("install_logger"), "the logger's place is free: {error}");
    assert!(!folder.path().join("log").exists(), "nothing has changed");
    let _guard = obs_facade::configure(&config.clone().install_dispatcher(false)).unwrap();
    let _guard = obs_facade::configure(&config.tracing(false)).unwrap();
}

#[test]
fn a_stack_with_a_logger_that_came_first_is_refused_with_a_remedy_that_works() {
    if ran_alone("a_stack_with_a_logger_that_came_first_is_refused_with_a_remedy_that_works") {
        return;
    }
    // As `tracing_subscriber::fmt::init` does.
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    tracing_log::LogTracer::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path());
    for config in [config.clone(), config.clone().install_logger(false)] {
        let error = obs_facade::configure(&config).unwrap_err().to_string();
        for words in
            ["`install_dispatcher(false)` and `install_logger(false)`", "obs_facade::tracing::layer()"]
        {
            assert!(error.contains(words), "{error}");
        }
    }
    let error = obs_facade::configure(&config.clone().install_dispatcher(false)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Log(obs_facade::log::ErrorKind::OtherLogger));
    for words in ["install_logger(false)", "obs_facade::tracing::layer()", "feature `tracing-layer`"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(!error.to_string().contains("logger().log(record)"), "it cannot pass records on: {error}");

    // The settings without the layer: nothing arrives, which a line says once.
    let config = config.install_dispatcher(false).install_logger(false);
    let _guard = obs_facade::configure(&config).unwrap();
    let _guard = obs_facade::configure(&config.log_level("debug")).unwrap();
    tracing::info!("lost");
    log::info!("lost");
    let lines = written(folder.path());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["level"], &lines[0]["logger"]),
        (&"warning".into(), &"obs_facade.seams.bridge".into())
    );
    assert!(lines[0]["msg"].as_str().unwrap().contains("obs_facade::tracing::layer()"), "{lines:?}");
}

#[cfg(feature = "tracing-layer")]
#[test]
fn a_stack_with_the_layer_and_a_logger_that_came_first_gets_every_line() {
    if ran_alone("a_stack_with_the_layer_and_a_logger_that_came_first_gets_every_line") {
        return;
    }
    use tracing_subscriber::layer::SubscriberExt as _;

    let stack = tracing_subscriber::registry().with(obs_facade::tracing::layer());
    tracing::subscriber::set_global_default(stack).unwrap();
    tracing_log::LogTracer::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path()).install_dispatcher(false).install_logger(false);
    let _guard = obs_facade::configure(&config).unwrap();
    tracing::info!("by tracing");
    log::info!("by log");
    assert_eq!(messages(&written(folder.path())), ["by tracing", "by log"], "and no warning");
}

#[test]
fn a_refused_logger_leaves_the_place_of_the_dispatcher_free() {
    if ran_alone("a_refused_logger_leaves_the_place_of_the_dispatcher_free") {
        return;
    }
    log::set_logger(&Other).unwrap();
    let folder = tempfile::tempdir().unwrap();
    obs_facade::configure(&ObservabilityConfig::new(folder.path())).unwrap_err();
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
}

#[test]
fn another_dispatcher_that_comes_later_gets_an_error_and_no_panic_of_ours() {
    if ran_alone("another_dispatcher_that_comes_later_gets_an_error_and_no_panic_of_ours") {
        return;
    }
    use tracing_subscriber::util::SubscriberInitExt as _;

    let folder = tempfile::tempdir().unwrap();
    let _guard = obs_facade::configure(&ObservabilityConfig::new(folder.path())).unwrap();
    assert!(tracing_subscriber::registry().try_init().is_err());
    assert!(log::set_logger(&Other).is_err());
    tracing::info!("ours");
    log::info!("ours too");
    assert_eq!(messages(&written(folder.path())), ["ours", "ours too"]);
}

#[cfg(feature = "tracing-layer")]
#[test]
fn the_layer_writes_the_lines_of_a_stack() {
    if ran_alone("the_layer_writes_the_lines_of_a_stack") {
        return;
    }
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    // The stack comes first, and has its callsites cached before the log has levels.
    let shown = std::sync::Arc::new(Mutex::new(Vec::new()));
    let writer = std::sync::Arc::clone(&shown);
    let theirs = tracing_subscriber::fmt::layer().with_writer(move || Into(std::sync::Arc::clone(&writer)));
    tracing_subscriber::registry().with(obs_facade::tracing::layer()).with(theirs).init();
    let say = |round: i64| tracing::debug!(target: "my_crate::jobs", round, "job");
    say(0);
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path()).install_dispatcher(false);
    let _guard = obs_facade::configure(&config).unwrap();
    say(1);
    let _guard = obs_facade::configure(&config.log_level("debug")).unwrap();
    say(2);
    let traced = trace::new_trace("llm.chat");
    traced.run(|| say(3));

    let lines = written(folder.path());
    assert_eq!(messages(&lines), ["job", "job", "done"]);
    assert_eq!((&lines[0]["round"], &lines[0]["logger"]), (&2.into(), &"my_crate.jobs".into()));
    assert_eq!(lines[1]["trace_id"], lines[2]["trace_id"]);
    let shown = String::from_utf8(shown.lock().unwrap().clone()).unwrap();
    assert_eq!(shown.lines().count(), 4, "their layer sees all: {shown}");
}

#[cfg(feature = "tracing-layer")]
struct Into(std::sync::Arc<Mutex<Vec<u8>>>);

#[cfg(feature = "tracing-layer")]
impl std::io::Write for Into {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Logger of the program, which passes its records on.
struct Other;

static SHOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Other {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Debug
    }

    fn log(&self, record: &log::Record<'_>) {
        SHOWN.lock().unwrap().push(record.args().to_string());
        obs_facade::log::logger().log(record);
    }

    fn flush(&self) {}
}

#[test]
fn another_logger_that_came_first_is_refused_with_the_remedy() {
    if ran_alone("another_logger_that_came_first_is_refused_with_the_remedy") {
        return;
    }
    log::set_logger(&Other).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path());
    let error = obs_facade::configure(&config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Log(obs_facade::log::ErrorKind::OtherLogger));
    for words in ["env_logger", "install_logger(false)", "obs_facade::log::logger().log(record)"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let _guard = obs_facade::configure(&config.install_logger(false)).unwrap();
    log::info!(peers = 3; "by log");
    log::debug!("their level");
    tracing::info!("by tracing");
    obs_facade::info!(logger: obs_facade::Logger::new("mine"), "by a logger");
    let lines = written(folder.path());
    assert_eq!(messages(&lines), ["by log", "by tracing", "by a logger"]);
    assert_eq!(lines[0]["peers"], 3);
    assert_eq!(*SHOWN.lock().unwrap(), ["by log", "their level"], "their level is not lowered");
}

#[test]
fn a_capture_has_the_events_of_its_scope() {
    let obs = Capture::new();
    obs.run(|| {
        trace::new_trace("llm.chat").run(|| tracing::debug!(target: "hyper::proto", peer = 7, "slow"));
    });
    tracing::warn!("outside");
    obs.logs().single("slow").field("logger", "hyper.proto").field("peer", 7);
    assert_eq!(obs.logs().all().len(), 2, "{:?}", obs.logs());
}

#[cfg(feature = "http")]
#[test]
fn the_page_of_a_foreign_program_has_no_family_of_hearthnet() {
    if ran_alone("the_page_of_a_foreign_program_has_no_family_of_hearthnet") {
        return;
    }
    use obs_facade::metrics::{self, Format};
    use tower::ServiceExt as _;

    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path());
    let _guard = obs_facade::configure(&config.clone().standard_families(false)).unwrap();
    let _checkup = obs_facade::http::Checkup::new(
        obs_facade::doctor::Config::default(),
        std::sync::Arc::new(obs_facade::doctor::NoBus),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let app = axum::Router::new().route("/items", axum::routing::get(async || "items"));
    let app = app.layer(obs_facade::http::layer().routes("web"));
    // A request with a refused header, whose family is declared at that moment.
    let request =
        http::Request::get("/items").header("traceparent", "nonsense").body(axum::body::Body::empty());
    let response = runtime.block_on(app.oneshot(request.unwrap())).unwrap();
    drop(runtime.block_on(axum::body::to_bytes(response.into_body(), 100)).unwrap());
    metrics::counter("shop_orders_total", "Orders.", []).inc([]);
    metrics::standard::requests_total().inc(["web", "ok"]);

    let names = || {
        let page = metrics::render(Format::Text);
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        types.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert!(names().contains(&"shop_orders_total".to_owned()), "{:?}", names());
    assert!(names().iter().all(|name| !name.starts_with("hearthnet_")), "{:?}", names());
    // A loss is seen all the same.
    metrics::histogram("shop_order_seconds", "Duration.", [], &[1.0]).with([]).observe(f64::NAN);
    let ours: Vec<_> = names().into_iter().filter(|name| name.starts_with("hearthnet_")).collect();
    assert_eq!(ours, ["hearthnet_metrics_nan_total"]);
    let _guard = obs_facade::configure(&config).unwrap();
    assert!(names().contains(&"hearthnet_log_lines_written_total".to_owned()));
}
