//! `configure` sets up all crates, is idempotent and applies changes live; its last guard flushes.
//!
//! In a file of its own because it installs the process's logger.

use obs_facade::{Logger, ObservabilityConfig, debug, info, trace};

static LOG: Logger = Logger::new("hearthnet.bus.router");

fn lines(folder: &std::path::Path) -> Vec<serde_json::Value> {
    let mut days: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    days.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    days.sort();
    let text: String = days.iter().map(|day| std::fs::read_to_string(day).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn one_call_sets_up_all_four_and_the_last_guard_flushes() {
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path());
    let guard = obs_facade::configure(&config).unwrap();
    let same = obs_facade::configure(&config).unwrap();
    debug!(logger: LOG, "too quiet");
    let traced = trace::new_trace("llm.chat");
    let id = traced.id().to_string();
    traced.run(|| info!(logger: LOG, ms = 12; "routed"));

    let louder = obs_facade::configure(&config.clone().log_level("info,hearthnet.bus=debug")).unwrap();
    debug!(logger: LOG, "loud enough");
    drop((guard, same, louder));

    let lines = lines(folder.path());
    let messages: Vec<_> = lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    assert_eq!(messages, ["routed", "done", "loud enough"]);
    assert!(lines[..2].iter().all(|line| line["trace_id"] == *id), "{lines:?}");

    let page = obs_facade::metrics::render(obs_facade::metrics::Format::Text);
    for sample in [
        "hearthnet_log_lines_written_total 3\n",
        "hearthnet_log_crash_safe 1\n",
        "hearthnet_traces_completed_total{outcome=\"ok\"} 1\n",
    ] {
        assert!(page.contains(sample), "{sample} in {page}");
    }

    let wrong = obs_facade::configure(&config.clone().log_level("loud")).unwrap_err();
    assert_eq!(wrong.field(), "log_level");
    let no_folder = obs_facade::configure(&config.with_log_dir("/dev/null/logs")).unwrap_err();
    assert_eq!(no_folder.field(), "log_dir");
    assert!(no_folder.to_string().contains("/dev/null/logs"), "{no_folder}");
}
