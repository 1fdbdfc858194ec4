//! A node with one bus module, which depends on `obs-facade` only.
//!
//! It routes some calls and compares the records with them. It ends with exit code 0 when they agree.

mod router;

use std::error::Error;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

use obs_facade::{ObservabilityConfig, metrics, trace};
use router::{Node, Request, Router};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("bus-module-{}", std::process::id()));
    let outcome = run(&dir);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn run(log_dir: &Path) -> Result<(), Box<dyn Error>> {
    let guard = obs_facade::configure(&ObservabilityConfig::new(log_dir))?;
    let router = Router::new(vec![
        Node { id: "7H4G-Y9KL", capability: "llm.chat", quarantined: true, up: true },
        Node { id: "2QXB-77DD", capability: "rag.query", quarantined: false, up: false },
    ]);
    for capability in ["llm.chat", "llm.chat", "rag.query", "embed.text"] {
        // The module never waits, so one poll is enough.
        let call = router.serve(Request { capability });
        if pin!(call).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Err("a call that is not over".into());
        }
    }
    drop(guard);

    let registry = metrics::Registry::global();
    let routed = ["ok", "partition", "not_found"]
        .map(|result| metrics::testing::value(registry, "routed_total", &[("result", result)]));
    let statuses: Vec<_> = trace::get_recent(10).iter().map(|record| record.status().to_string()).collect();
    let lines = lines(log_dir)?;
    let of_message =
        |msg: &str| lines.iter().filter(|line| line.contains(&format!("\"msg\":\"{msg}\""))).count();
    let counted = ["routed", "peer is quarantined", "forwarding failed", "done"].map(of_message);
    // The suppressed warning is counted at the end, outside of any call.
    let without_id: Vec<_> = lines.iter().filter(|line| !line.contains("\"trace_id\":")).collect();
    if routed == [Some(2.0), Some(1.0), Some(1.0)]
        && statuses == ["not_found", "partition", "ok", "ok"]
        && counted == [3, 1, 1, 4]
        && without_id.iter().all(|line| line.contains("\"suppressed\":1"))
    {
        return Ok(());
    }
    Err(format!("{routed:?} {statuses:?} {counted:?} {lines:#?}").into())
}

fn lines(log_dir: &Path) -> std::io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(log_dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            lines.extend(std::fs::read_to_string(path)?.lines().map(str::to_owned));
        }
    }
    Ok(lines)
}
