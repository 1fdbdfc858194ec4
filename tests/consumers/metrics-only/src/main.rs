//! A program with metrics only. Worker threads share families, and the page shows their work.
//!
//! It ends with exit code 0 when the page is right.

use std::error::Error;
use std::sync::LazyLock;

use obs_metrics::{self as metrics, CounterFamily, Format, GaugeFamily, HistogramFamily};

static JOBS: LazyLock<CounterFamily<2>> =
    LazyLock::new(|| metrics::counter("jobs_total", "Jobs that were done.", ["queue", "result"]));
static WORKERS: LazyLock<GaugeFamily<1>> =
    LazyLock::new(|| metrics::gauge("workers", "Workers at work.", ["queue"]));
static SIZES: LazyLock<HistogramFamily<1>> =
    LazyLock::new(|| metrics::histogram("job_size_bytes", "Sizes of jobs.", ["queue"], &[10.0, 100.0]));

const WORKERS_A_QUEUE: usize = 4;
const JOBS_A_WORKER: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    metrics::configure(&metrics::Config::default().series_cap(100))?;
    std::thread::scope(|threads| {
        for _ in 0..WORKERS_A_QUEUE {
            threads.spawn(|| work("mail"));
        }
    });
    check(&metrics::render(Format::Text))?;
    check(&metrics::render(Format::OpenMetrics))
}

/// Takes the handles once, so that the loop costs an atomic add.
fn work(queue: &str) {
    let _at_work = WORKERS.with([queue]).lease();
    let (done, failed) = (JOBS.with([queue, "ok"]), JOBS.with([queue, "error"]));
    let sizes = SIZES.with([queue]);
    for job in 0..JOBS_A_WORKER {
        sizes.observe((job % 200) as f64);
        if job % 10 == 0 { failed.inc() } else { done.inc() }
    }
}

/// Lines that the page must have in every format. The workers have ended, and their gauge is gone.
fn check(page: &str) -> Result<(), Box<dyn Error>> {
    let wanted = [
        "jobs_total{queue=\"mail\",result=\"ok\"} 3600",
        "jobs_total{queue=\"mail\",result=\"error\"} 400",
        "job_size_bytes_count{queue=\"mail\"} 4000",
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|line| !page.contains(line)).collect();
    if missing.is_empty() && !page.contains("workers{queue=\"mail\"} 1") {
        return Ok(());
    }
    Err(format!("{missing:?} not in\n{page}").into())
}
