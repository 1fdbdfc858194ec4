//! One measurement: a number of nodes, scraped for a while, then a node that goes down.

use std::env;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::engines::Engines;
use crate::process::{self, Process, WORKER, free_port};
use crate::{Done, address, receiver, say, serve};

/// Time in which 10 000 registries are made and served.
const FLEET_STARTS_WITHIN: Duration = Duration::from_secs(300);

/// Shortest time in which something is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Figures of one number of nodes.
pub(crate) struct Row {
    pub(crate) targets: usize,
    pub(crate) interval: Duration,
    pub(crate) length: Duration,
    pub(crate) scrapes: f64,
    pub(crate) failed: f64,
    /// Processor time of a node for a scrape.
    pub(crate) node_cpu: Duration,
    pub(crate) page_bytes: f64,
    pub(crate) sent_bytes: f64,
    pub(crate) series: f64,
    /// Cores that the servers used.
    pub(crate) agent_cores: f64,
    pub(crate) store_cores: f64,
    pub(crate) agent_bytes: u64,
    pub(crate) store_bytes: u64,
    pub(crate) exact_p99: f64,
    pub(crate) merged_p99: f64,
    pub(crate) alert_after: Duration,
}

/// Figures that are read at the beginning and at the end of the measured time.
struct Reading {
    at: Instant,
    scrapes: f64,
    failed: f64,
    node_cpu: Duration,
    agent_cpu: Duration,
    store_cpu: Duration,
    pages: f64,
    page_bytes: f64,
    sent_bytes: f64,
}

/// Nodes and servers of a measurement.
struct Setup {
    fleet: Process,
    control: String,
    engines: Engines,
    interval: Duration,
}

pub(crate) fn run(targets: usize, interval: Duration, length: Duration) -> Done<Row> {
    say(&format!("{targets} nodes: starting"));
    process::raise_descriptors();
    let dir = tempfile::tempdir()?;
    let port = free_port()?;
    let fleet = Process::start(Command::new(env::current_exe()?).args([
        serve::COMMAND,
        &targets.to_string(),
        &port.to_string(),
    ]))?;
    let control = format!("http://127.0.0.1:{port}/control");
    wait_for(FLEET_STARTS_WITHIN, "the nodes to be served", || Ok(figures(&control).is_ok()))?;
    let (receiver, alerts) = receiver::start()?;
    let engines = Engines::start(dir.path(), targets, port, interval, &receiver)?;
    let setup = Setup { fleet, control, engines, interval };

    // Until each node was scraped, the rate of scrapes is not that of the interval.
    wait_for(8 * interval, "a scrape of each node", || {
        Ok(setup.engines.query("count(up)")? == Some(targets as f64))
    })?;
    say(&format!("{targets} nodes: scraping for {} s", length.as_secs()));
    let before = setup.read()?;
    thread::sleep(length);
    let after = setup.read()?;
    let (exact_p99, merged_p99) = setup.compare()?;
    let alert_after = setup.fault(targets / 2, &alerts)?;

    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let pages = after.pages - before.pages;
    let cores = |before: Duration, after: Duration| (after - before).as_secs_f64() / seconds;
    Ok(Row {
        targets,
        interval,
        length,
        scrapes: after.scrapes - before.scrapes,
        failed: after.failed - before.failed,
        node_cpu: (after.node_cpu - before.node_cpu).div_f64(pages.max(1.0)),
        page_bytes: (after.page_bytes - before.page_bytes) / pages,
        sent_bytes: (after.sent_bytes - before.sent_bytes) / pages,
        series: setup.engines.query("sum(scrape_samples_post_metric_relabeling)")?.unwrap_or_default(),
        agent_cores: cores(before.agent_cpu, after.agent_cpu),
        store_cores: cores(before.store_cpu, after.store_cpu),
        agent_bytes: setup.engines.agent.resident()?,
        store_bytes: setup.engines.store.resident()?,
        exact_p99,
        merged_p99,
        alert_after,
    })
}

impl Setup {
    fn read(&self) -> Done<Reading> {
        let figures = figures(&self.control)?;
        let number = |name: &str| figures[name].as_f64().unwrap_or_default();
        Ok(Reading {
            at: Instant::now(),
            scrapes: self.engines.agent_counter("vm_promscrape_scrapes_total")?,
            failed: self.engines.agent_counter("vm_promscrape_scrapes_failed_total")?,
            node_cpu: self.fleet.cpu()?.saturating_sub(self.fleet.cpu_of(WORKER)?),
            agent_cpu: self.engines.agent.cpu()?,
            store_cpu: self.engines.store.cpu()?,
            pages: number("pages"),
            page_bytes: number("page_bytes"),
            sent_bytes: number("sent_bytes"),
        })
    }

    /// Returns the exact 99th percentile of all durations, and the one that the store computes.
    fn compare(&self) -> Done<(f64, f64)> {
        ureq::get(format!("{}/quiet", self.control)).call()?;
        // Every call counts once the pages of all nodes were scraped.
        let exact = || -> Done<(f64, f64)> {
            let figures = figures(&self.control)?;
            Ok((figures["p99"].as_f64().ok_or("no p99")?, figures["calls"].as_f64().ok_or("no calls")?))
        };
        let (mut stored, mut calls) = (None, 0.0);
        wait_for(8 * self.interval, "a scrape of each call", || {
            stored = self.engines.query("sum(hearthnet_request_duration_seconds_count)")?;
            calls = exact()?.1;
            Ok(stored == Some(calls))
        })
        .map_err(|err| format!("{err}: the store has {stored:?} of {calls}"))?;
        let merged = "histogram_quantile(0.99, sum(hearthnet_request_duration_seconds_bucket) by (vmrange))";
        let merged = self.engines.query(merged)?.ok_or("the store has no native buckets")?;
        Ok((exact()?.0, merged))
    }

    /// Takes a node down. Returns the time until Alertmanager tells of it.
    fn fault(&self, node: usize, alerts: &Receiver<(Instant, String)>) -> Done<Duration> {
        // Alerts of before: a node whose scrape failed.
        alerts.try_iter().for_each(drop);
        let begun = Instant::now();
        ureq::get(format!("{}/down/{node}", self.control)).call()?;
        let deadline = begun + PATIENCE.max(8 * self.interval);
        let instance = address::of(node).to_string();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (at, body) = alerts.recv_timeout(left).map_err(|err| format!("no alert: {err}"))?;
            if body.contains(&format!("{instance}:")) {
                return Ok(at - begun);
            }
        }
    }
}

fn figures(control: &str) -> Done<Value> {
    let text = ureq::get(format!("{control}/figures")).call()?.body_mut().read_to_string()?;
    Ok(serde_json::from_str(&text)?)
}

fn wait_for(time: Duration, what: &str, mut is_done: impl FnMut() -> Done<bool>) -> Done {
    let deadline = Instant::now() + time.max(PATIENCE);
    while !is_done()? {
        if Instant::now() > deadline {
            return Err(format!("waited in vain for {what}").into());
        }
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}
