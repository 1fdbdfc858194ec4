//! A real Prometheus server that scrapes one node.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::case::{Outcome, ensure, failed};
use crate::harness::children::Kept;
use crate::harness::exposition::{Labels, Series};
use crate::harness::http::Client;
use crate::harness::{Lab, free_port, oracle, wait};

/// Time that the server may take to start. It takes a second on a quiet machine.
const START: Duration = Duration::from_secs(30);

/// Scrape interval. It is short so that no case waits long.
const CONFIG: &str = "\
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
- job_name: node
  scrape_timeout: 200ms
  static_configs: [{targets: ['TARGET']}]
";

/// Running server with data of its own. Dropping it ends the server.
pub(crate) struct Prometheus {
    client: Client,
    _child: Kept,
    _dir: TempDir,
}

impl Prometheus {
    /// Starts a server with these features besides the storage of exemplars, and waits until it has scraped the node.
    pub(crate) fn scraping(lab: &Lab, node: &str, features: &str) -> Outcome<Self> {
        static INSTALLED: OnceLock<bool> = OnceLock::new();
        if !INSTALLED.get_or_init(|| oracle::runs(Command::new("prometheus").arg("--version"))) {
            return Err(lab.oracle_missing("prometheus"));
        }
        let dir = tempfile::Builder::new().prefix("prometheus-").tempdir()?;
        let config = dir.path().join("prometheus.yml");
        std::fs::write(&config, CONFIG.replace("TARGET", node.trim_start_matches("http://")))?;
        let port = free_port();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--enable-feature=exemplar-storage{features}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = Kept::spawn(&mut command)?;
        let client = Client::new(&format!("http://127.0.0.1:{port}"));
        let prometheus = Self { client, _child: child, _dir: dir };
        prometheus.wait_for_a_scrape()?;
        Ok(prometheus)
    }

    fn wait_for_a_scrape(&self) -> Outcome {
        let mut last = "it does not answer".to_owned();
        let up = wait::until(START, || match self.target() {
            Ok(target) => {
                last = target.to_string();
                target["health"] == "up"
            }
            Err(_) => false,
        });
        ensure(up, "Prometheus scrapes the node", last)
    }

    /// Returns the server's view of its target: health and last error.
    fn target(&self) -> Outcome<Value> {
        Ok(self.get("/api/v1/targets", &[])?["activeTargets"][0].clone())
    }

    /// Returns the samples of an instant query without the labels that the server adds.
    pub(crate) fn query(&self, query: &str) -> Outcome<Vec<Series>> {
        let data = self.get("/api/v1/query", &[("query", query)])?;
        let samples = data["result"].as_array().cloned().unwrap_or_default();
        samples
            .iter()
            .map(|sample| series(sample).ok_or_else(|| failed("a sample", sample.to_string())))
            .collect()
    }

    /// Returns the native histograms of an instant query.
    pub(crate) fn histograms(&self, query: &str) -> Outcome<Vec<NativeHistogram>> {
        let data = self.get("/api/v1/query", &[("query", query)])?;
        let found = data["result"].as_array().cloned().unwrap_or_default();
        let read = |sample: &Value| {
            NativeHistogram::read(&sample["histogram"][1])
                .ok_or_else(|| failed("a native histogram", sample.to_string()))
        };
        found.iter().map(read).collect()
    }

    /// Returns the trace IDs and values of the exemplars that are stored for a series.
    pub(crate) fn exemplars(&self, query: &str) -> Outcome<Vec<(String, f64)>> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let (start, end) = ((now - 3600).to_string(), (now + 60).to_string());
        let data =
            self.get("/api/v1/query_exemplars", &[("query", query), ("start", &start), ("end", &end)])?;
        let series = data.as_array().into_iter().flatten();
        let exemplars = series.flat_map(|series| series["exemplars"].as_array().into_iter().flatten());
        let pair = |exemplar: &Value| {
            let id = exemplar["labels"]["trace_id"].as_str()?.to_owned();
            Some((id, exemplar["value"].as_str()?.parse().ok()?))
        };
        Ok(exemplars.filter_map(pair).collect())
    }

    /// Returns the type that a family was scraped with.
    pub(crate) fn kind(&self, family: &str) -> Outcome<String> {
        let data = self.get("/api/v1/metadata", &[("metric", family)])?;
        Ok(data[family][0]["type"].as_str().unwrap_or_default().to_owned())
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Outcome<Value> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let answer = self.client.get(&format!("{path}?{query}"))?.is(200)?.json()?;
        Ok(answer["data"].clone())
    }
}

/// Native histogram as the server has stored it.
#[derive(Debug)]
pub(crate) struct NativeHistogram {
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) buckets: Vec<Bucket>,
}

/// Bucket with the server's bounds. A flag tells whether a bound belongs to the bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) lower: f64,
    has_lower: bool,
    pub(crate) upper: f64,
    has_upper: bool,
    pub(crate) count: f64,
}

impl Bucket {
    pub(crate) fn holds(&self, value: f64) -> bool {
        let above = value > self.lower || (self.has_lower && value == self.lower);
        let below = value < self.upper || (self.has_upper && value == self.upper);
        above && below
    }
}

impl NativeHistogram {
    fn read(json: &Value) -> Option<Self> {
        let buckets = json["buckets"].as_array().into_iter().flatten();
        let bucket = |bucket: &Value| {
            let rule = bucket[0].as_u64()?;
            Some(Bucket {
                lower: number(&bucket[1])?,
                has_lower: matches!(rule, 1 | 3),
                upper: number(&bucket[2])?,
                has_upper: matches!(rule, 0 | 3),
                count: number(&bucket[3])?,
            })
        };
        let buckets = buckets.map(bucket).collect::<Option<_>>()?;
        Some(Self { count: number(&json["count"])?, sum: number(&json["sum"])?, buckets })
    }
}

/// Parses a number, which the API writes as text.
fn number(json: &Value) -> Option<f64> {
    json.as_str()?.parse().ok()
}

/// Sample of an instant query.
fn series(sample: &Value) -> Option<Series> {
    let mut labels = Labels::new();
    let mut name = String::new();
    for (label, value) in sample["metric"].as_object()? {
        let value = value.as_str()?.to_owned();
        match label.as_str() {
            "__name__" => name = value,
            "job" | "instance" => {}
            label => labels.push((label.to_owned(), value)),
        }
    }
    labels.sort();
    Some(Series { name, labels, value: number(&sample["value"][1])? })
}
