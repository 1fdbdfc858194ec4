//! `docs/scale.md`: the figures as a table and a plot, with the command that makes them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::measure::Row;
use crate::{Done, plot};

/// Writes the page and the plot into a folder of documents.
pub(crate) fn write(dir: &Path, rows: &[Row]) -> Done {
    fs::create_dir_all(dir.join("images"))?;
    fs::write(dir.join("images").join("scale.svg"), plot::draw(rows))?;
    let table: String = rows.iter().map(table_row).collect();
    fs::write(dir.join("scale.md"), format!("{}{table}{}", head(rows), TAIL))?;
    Ok(())
}

fn head(rows: &[Row]) -> String {
    let seconds = rows.iter().map(|row| row.length.as_secs()).max().unwrap_or_default();
    format!(
        "# From 10 to 10 000 nodes

This page has the cost of watching a community, for the server and for each node. `cargo xtask scale --report docs` measures and
writes it. It needs Debian's `victoria-metrics` and `prometheus-alertmanager`.

Each simulated node has a registry of its own with the standard families, four capabilities, and one call a second. It has an
address of its own in 127.0.0.0/8. vmagent finds the nodes in a file and scrapes `/metrics?histograms=vmrange`, whose answer is
compressed. VictoriaMetrics stores, vmalert evaluates every 5 s, Alertmanager notifies. The largest measurement took {seconds} s.

Nodes and servers share one machine: {}.

| nodes | interval | scrapes | failed | CPU of a node a scrape | page (sent) | series | vmagent | VictoriaMetrics | p99 of all calls (exact) | fault to alert |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
",
        machine()
    )
}

/// Returns a row of the table.
pub(crate) fn table_row(row: &Row) -> String {
    format!(
        "| {} | {} s | {:.0} | {:.0} | {:.2} ms | {:.1} kB ({:.1} kB) | {:.0} | {:.2} cores, {:.0} MB | {:.2} cores, {:.0} MB | {:.3} s \
         ({:.3} s, {:+.1} %) | {:.1} s |\n",
        row.targets,
        row.interval.as_secs(),
        row.scrapes,
        row.failed,
        row.node_cpu.as_secs_f64() * 1e3,
        row.page_bytes / 1e3,
        row.sent_bytes / 1e3,
        row.series,
        row.agent_cores,
        row.agent_bytes as f64 / 1e6,
        row.store_cores,
        row.store_bytes as f64 / 1e6,
        row.merged_p99,
        row.exact_p99,
        (row.merged_p99 / row.exact_p99 - 1.0) * 100.0,
        row.alert_after.as_secs_f64(),
    )
}

const TAIL: &str = "
![Cores and memory of the servers by the number of nodes](images/scale.svg)

- *CPU of a node a scrape*: processor time of the process that serves all nodes, without that of the calls, divided by the pages.
  It has the rendering, the compression and the connection.
- *p99 of all calls*: `histogram_quantile(0.99, sum(hearthnet_request_duration_seconds_bucket) by (vmrange))` over the calls of all
  nodes, beside the value in the sorted list of all durations.
- *fault to alert*: from the moment in which a node stops answering to the call of Alertmanager's webhook. A scrape interval and an
  evaluation interval lie between them at most, plus the grace that a rule adds with `for:`.
";

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let store = Command::new("dpkg-query").args(["-W", "-f", "${Version}", "victoria-metrics"]).output();
    let store = store.map_or_else(|_| String::new(), |out| String::from_utf8_lossy(&out.stdout).into_owned());
    format!(
        "{cores} cores, {}, VictoriaMetrics {store}",
        model.map_or("unknown processor", |(_, model)| model)
    )
}
