//! Servers of the two chains: Prometheus, VictoriaMetrics with vmagent and vmalert, Alertmanager.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::trial::Trial;
use crate::case::{Outcome, failed};
use crate::harness::children::Kept;
use crate::harness::http::Client;
use crate::harness::{free_port, wait};

/// Time that a server may take to start. It takes a second on a quiet machine.
const START: Duration = Duration::from_secs(45);

/// Running server. Dropping it ends the server.
pub(super) struct Server {
    address: String,
    client: Client,
    log: PathBuf,
    _child: Kept,
}

impl Server {
    /// Starts a program that listens on `address`. Its output is kept for a failure.
    fn start(trial: &Trial, name: &str, address: String, command: &mut Command) -> Outcome<Self> {
        let log = trial.path().join(format!("{name}.log"));
        let output = std::fs::File::create(&log)?;
        command.current_dir(trial.path()).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // Proxies and settings of this process's environment are not those of the set-up.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let client = Client::new(&format!("http://{address}"));
        Ok(Self { address, client, log, _child: Kept::spawn(command)? })
    }

    /// Waits until the server answers on this path.
    pub(super) fn wait(&self, path: &str) -> Outcome {
        match wait::until(START, || self.client.get(path).is_ok_and(|answer| answer.status == 200)) {
            true => Ok(()),
            false => Err(failed(format!("an answer to {path} within {START:?}"), self.log())),
        }
    }

    /// Returns the end of the server's output.
    pub(super) fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the results of an instant query.
    pub(super) fn query(&self, query: &str) -> Outcome<Vec<Value>> {
        let answer = self.get("/api/v1/query", &[("query", query)])?;
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }

    /// Returns the answer to a request for this path with these parameters.
    pub(super) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Outcome<Value> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.client.get(&format!("{path}?{query}"))?.is(200)?.json()
    }
}

/// Returns a free address on loopback.
pub(super) fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Starts Alertmanager, which tells `webhook`.
pub(super) fn alertmanager(trial: &Trial, name: &str, webhook: &str) -> Outcome<Server> {
    let file = format!("{name}.yml");
    let config = trial.copy("alerts/alertmanager.yml", &file, &[("127.0.0.1:9094", webhook)])?;
    let address = free_address();
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(flag("--config.file", &config))
        .arg(flag("--storage.path", &trial.path().join(format!("{name}-data"))))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=");
    Server::start(trial, name, address, &mut command)
}

/// Starts Prometheus.
pub(super) fn prometheus(trial: &Trial, alertmanager: &Server) -> Outcome<Server> {
    let file = "collect/prometheus.yml";
    let config = trial.copy(file, file, &[("127.0.0.1:9093", alertmanager.address())])?;
    let address = free_address();
    let mut command = Command::new("prometheus");
    command
        .arg(flag("--config.file", &config))
        .arg(flag("--storage.tsdb.path", &trial.path().join("prometheus-data")))
        .arg(format!("--web.listen-address={address}"));
    Server::start(trial, "prometheus", address, &mut command)
}

/// Servers of the chain around VictoriaMetrics.
pub(super) struct Victoria {
    pub(super) store: Server,
    pub(super) agent: Server,
    pub(super) alert: Server,
}

/// Starts vmagent, VictoriaMetrics and vmalert.
pub(super) fn victoria(trial: &Trial, alertmanager: &Server) -> Outcome<Victoria> {
    let file = "collect/vmagent.yml";
    let config = trial.copy(file, file, &[])?;
    let address = free_address();
    let mut command = Command::new("victoria-metrics");
    command
        .arg(flag("-storageDataPath", &trial.path().join("victoria-metrics-data")))
        .arg(format!("-httpListenAddr={address}"))
        // For the trial: otherwise an answer leaves out the last 30 s.
        .arg("-search.latencyOffset=1s");
    let store = Server::start(trial, "victoria-metrics", address, &mut command)?;

    let address = free_address();
    let mut command = Command::new("vmagent");
    command
        .arg(flag("-promscrape.config", &config))
        .arg(format!("-remoteWrite.url=http://{}/api/v1/write", store.address()))
        .arg(flag("-remoteWrite.tmpDataPath", &trial.path().join("vmagent-data")))
        .arg(format!("-httpListenAddr={address}"))
        .arg("-promscrape.fileSDCheckInterval=1s");
    let agent = Server::start(trial, "vmagent", address, &mut command)?;

    let address = free_address();
    let mut command = Command::new("vmalert");
    command
        .arg(flag("-rule", &trial.path().join("alerts/records.yml")))
        .arg(flag("-rule", &trial.path().join("alerts/alerts.yml")))
        .arg(format!("-datasource.url=http://{}", store.address()))
        .arg(format!("-remoteWrite.url=http://{}", store.address()))
        .arg(format!("-remoteRead.url=http://{}", store.address()))
        .arg(format!("-notifier.url=http://{}", alertmanager.address()))
        .arg(format!("-httpListenAddr={address}"));
    let alert = Server::start(trial, "vmalert", address, &mut command)?;
    Ok(Victoria { store, agent, alert })
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}
