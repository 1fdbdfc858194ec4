//! Exports a trace, metrics and lines to the collector whose address is the argument.
//!
//! ```sh
//! cargo run -p obs-facade --features otlp --example export_to -- http://127.0.0.1:4318
//! ```

use obs_facade::{ObservabilityConfig, info, metrics, trace};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:4318".to_owned());
    let folder = tempfile::tempdir()?;
    let config =
        ObservabilityConfig::new(folder.path()).otlp_endpoint(address).otlp_metrics(true).otlp_logs(true);
    let guard = obs_facade::configure(&config)?;
    let wait = metrics::histogram("example_wait_seconds", "Waits.", ["queue"], &[]).native();
    let size = metrics::histogram("example_size_bytes", "Sizes.", ["queue"], &[10.0, 100.0]);
    trace::new_trace("example.call").run(|| {
        wait.observe(["mail"], 0.25);
        size.observe(["mail"], 12.0);
        metrics::standard::requests_total().with(["example.call", "ok"]).inc();
        trace::in_span("step", || info!(peers = 3, share = 0.5, ok = true; "an example line"));
    });
    // The last guard sends what waits.
    drop(guard);
    Ok(())
}
