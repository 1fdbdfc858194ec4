//! VictoriaMetrics, vmagent, vmalert and Alertmanager on free ports of this machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Process, free_port};
use crate::{Done, address};

/// Time in which a server has to answer.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

pub(crate) struct Engines {
    pub(crate) store: Process,
    pub(crate) agent: Process,
    store_url: String,
    agent_url: String,
    _alerts: Process,
    _manager: Process,
}

impl Engines {
    /// Starts all four. Alertmanager tells `receiver` of each alert at once.
    pub(crate) fn start(
        dir: &Path,
        targets: usize,
        port: u16,
        interval: Duration,
        receiver: &str,
    ) -> Done<Self> {
        let (store_port, agent_port, alerts_port, manager_port) =
            (free_port()?, free_port()?, free_port()?, free_port()?);
        let [store_url, agent_url, manager_url] =
            [store_port, agent_port, manager_port].map(|port| format!("http://127.0.0.1:{port}"));

        fs::write(dir.join("targets.json"), targets_json(targets, port))?;
        fs::write(dir.join("scrape.yml"), scrape_yml(interval))?;
        fs::write(dir.join("rules.yml"), RULES)?;
        fs::write(dir.join("alertmanager.yml"), alertmanager_yml(receiver))?;

        let store = Process::start(
            Command::new("victoria-metrics")
                // A query answers with samples of the last seconds. The default of 30 s would delay each alert.
                .arg("-search.latencyOffset=1s")
                // The merged percentile of all nodes reads every bucket of every node.
                .arg("-search.maxUniqueTimeseries=10000000")
                .arg("-search.maxQueryDuration=2m")
                .arg(format!("-storageDataPath={}", dir.join("store").display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{store_port}")),
        )?;
        answers(&format!("{store_url}/health"))?;
        let agent = Process::start(
            Command::new("vmagent")
                .arg(format!("-promscrape.config={}", dir.join("scrape.yml").display()))
                .arg(format!("-remoteWrite.tmpDataPath={}", dir.join("agent").display()))
                .arg(format!("-remoteWrite.url={store_url}/api/v1/write"))
                .arg(format!("-httpListenAddr=127.0.0.1:{agent_port}")),
        )?;
        answers(&format!("{agent_url}/health"))?;
        let manager = Process::start(
            Command::new("prometheus-alertmanager")
                .arg(format!("--config.file={}", dir.join("alertmanager.yml").display()))
                .arg(format!("--storage.path={}", dir.join("manager").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{manager_port}"))
                .arg("--cluster.listen-address="),
        )?;
        answers(&format!("{manager_url}/-/ready"))?;
        let alerts = Process::start(
            Command::new("vmalert")
                .arg(format!("-rule={}", dir.join("rules.yml").display()))
                .arg(format!("-datasource.url={store_url}"))
                .arg(format!("-notifier.url={manager_url}"))
                .arg("-evaluationInterval=5s")
                .arg(format!("-httpListenAddr=127.0.0.1:{alerts_port}")),
        )?;
        answers(&format!("http://127.0.0.1:{alerts_port}/health"))?;
        Ok(Self { store, agent, store_url, agent_url, _alerts: alerts, _manager: manager })
    }

    /// Returns the value of a query that has one. `None` if the store has no data for it.
    pub(crate) fn query(&self, query: &str) -> Done<Option<f64>> {
        let url = format!("{}/api/v1/query", self.store_url);
        let request = ureq::get(&url).query("query", query);
        let mut answer = request.config().http_status_as_error(false).build().call()?;
        let text = answer.body_mut().read_to_string()?;
        if !answer.status().is_success() {
            return Err(format!("{query}: {text}").into());
        }
        let answer: Value = serde_json::from_str(&text)?;
        let value = answer.pointer("/data/result/0/value/1").and_then(Value::as_str);
        Ok(value.map(str::parse).transpose()?)
    }

    /// Returns the sum of vmagent's own counters with this name.
    pub(crate) fn agent_counter(&self, name: &str) -> Done<f64> {
        let page = ureq::get(format!("{}/metrics", self.agent_url)).call()?.body_mut().read_to_string()?;
        let values = page.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let rest = series.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with('{')).then(|| value.parse::<f64>())
        });
        Ok(values.sum::<Result<f64, _>>()?)
    }
}

fn answers(url: &str) -> Done {
    let deadline = Instant::now() + STARTS_WITHIN;
    while ureq::get(url).call().is_err() {
        if Instant::now() > deadline {
            return Err(format!("{url} does not answer").into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// File for file discovery, as `hearthnet export targets` writes it.
fn targets_json(targets: usize, port: u16) -> String {
    let addresses: Vec<String> = (0..targets).map(|node| format!("{}:{port}", address::of(node))).collect();
    json!([{ "targets": addresses, "labels": { "community": "scale" } }]).to_string()
}

fn scrape_yml(interval: Duration) -> String {
    format!(
        "scrape_configs:
  - job_name: hearthnet
    scrape_interval: {0}s
    scrape_timeout: {0}s
    params:
      histograms: [vmrange]
    file_sd_configs:
      - files: [targets.json]
",
        interval.as_secs()
    )
}

const RULES: &str = "groups:
  - name: hearthnet
    rules:
      - alert: NodeDown
        expr: up{job=\"hearthnet\"} == 0
        for: 0s
";

fn alertmanager_yml(receiver: &str) -> String {
    format!(
        "route:
  receiver: measurement
  group_by: [alertname, instance]
  group_wait: 0s
receivers:
  - name: measurement
    webhook_configs:
      - url: {receiver}
"
    )
}
