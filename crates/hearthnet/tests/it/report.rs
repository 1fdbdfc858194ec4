//! `hearthnet report`: contents of the archive, secrets in all of its sources, and a node that was killed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::node::{ECHO, Home, request_id, text_of};
use crate::planted_secrets::{COUNT, Planted, meanings, planted};

/// Returns the files of an archive by their path.
fn unpack(archive: &Path) -> BTreeMap<String, String> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()));
    let files = tar.entries().unwrap().map(|entry| {
        let (mut entry, mut text) = (entry.unwrap(), String::new());
        entry.read_to_string(&mut text).unwrap();
        let path = entry.path().unwrap().display().to_string();
        (path.split_once('/').unwrap().1.to_owned(), text)
    });
    files.collect()
}

/// Makes a report in a folder of its own, and returns its path, files and manifest.
fn report(home: &Home, args: &[&str]) -> (PathBuf, BTreeMap<String, String>, Value) {
    let out = home.path().join("report.tar.gz");
    let ran = home.run(&[&["report", "--force", "--json", "--out", out.to_str().unwrap()], args].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", text_of(&ran.stderr));
    let files = unpack(&out);
    let manifest: Value = serde_json::from_str(&files["manifest.json"]).unwrap();
    let printed: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(printed["entries"], manifest["entries"]);
    (out, files, manifest)
}

/// Answers each request by its path.
fn serve(answers: impl Fn(&str) -> Option<String> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            while line.trim() != "" || line.is_empty() {
                line.clear();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
            }
            let (status, body) =
                answers(&path).map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Texts that a report must keep.
const ORDINARY: [&str; 8] = [
    "connect http://127.0.0.1:11434: connection refused",
    "peer ed25519:YSBzZWVkIHRoYXQgbXVzdCBub3QgYmUgcHJpbnRlZCE does not answer",
    "01M8A0G3D5K2VW2YF5NDMDVJVN",
    "llm.chat took 12.345 ms with prompt_tokens=512",
    "http://garage.lan:7080/bus/v1/call answered 503",
    "no space left on device (os error 28)",
    "model meta-llama-3.1-8b-instruct-q4_K_M",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
];

fn log_lines(secrets: &[Planted]) -> String {
    let mut lines = String::new();
    let mut add = |fields: Value| {
        let mut line = json!({ "level": "error", "logger": "planted" });
        line.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        // The time comes first, as the node writes it.
        let line = line.to_string();
        lines.push_str(&format!("{{\"ts\":\"{}\",{}\n", now(), &line[1..]));
    };
    for planted in secrets {
        for (_, text) in planted.forms() {
            add(json!({ "msg": text, "nested": { "cause": [text] } }));
        }
        for part in planted.text.lines() {
            add(json!({ "msg": part }));
        }
        if let Some((name, value)) = &planted.pair {
            add(json!({ "msg": "header", "name": name, "value": value }));
            add(json!({ "msg": "header", name.as_str(): value }));
        }
    }
    ORDINARY.iter().for_each(|text| add(json!({ "msg": text, "ms": 12.345 })));
    lines
}

fn traces(secrets: &[Planted]) -> String {
    let of = |planted: &Planted| {
        let fields: BTreeMap<_, _> = planted.forms().into_iter().collect();
        json!({
            "trace_id": "01M8A0G3D5K2VW2YF5NDMDVJVN", "capability": "llm.chat", "started_at": now(),
            "duration_ms": 12.345, "status": "internal_error", "span_id": "00f067aa0ba902b7", "dropped_spans": 0,
            "spans": [{
                "name": "model", "parent": null, "start_ms": 0.5, "duration_ms": 1.5, "span_id": "00f067aa0ba902b8",
                "fields": fields,
            }],
        })
    };
    json!({ "traces": secrets.iter().map(of).collect::<Vec<_>>() }).to_string()
}

fn metrics(secrets: &[Planted]) -> String {
    let label = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut page = "# TYPE hearthnet_requests_total counter\n".to_owned();
    for (at, planted) in secrets.iter().enumerate() {
        for (form, text) in planted.forms() {
            page += &format!("x_total{{form=\"{form}\",at=\"{at}\",cause=\"{}\"}} 1\n", label(&text));
        }
    }
    page + "hearthnet_requests_total{capability=\"llm.chat\",result=\"ok\"} 12\n"
}

fn settings(secrets: &[Planted]) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut text = "[ui]\n".to_owned();
    for (at, planted) in secrets.iter().enumerate() {
        text += &format!("# {}\n", planted.text.replace('\n', " "));
        for (form, planted) in planted.forms() {
            text += &format!("note_{at}_{form} = {}\n", quoted(&planted));
        }
        if let Some((name, value)) = &planted.pair {
            text += &format!("header_{at} = {{ name = {}, value = {} }}\n", quoted(name), quoted(value));
            text += &format!("field_{at} = {{ {} = {} }}\n", quoted(name), quoted(value));
        }
    }
    text + "model = \"meta-llama-3.1-8b-instruct-q4_K_M\"\n"
}

#[test]
fn no_planted_secret_is_in_a_report_and_ordinary_text_is() {
    let home = Home::new();
    // Each source has secrets of its own, six of each kind.
    let some = |seed| {
        let mut some = planted(seed);
        some.truncate(60);
        some
    };
    let [of_log, of_traces, of_metrics, of_settings] = [1, 2, 3, 4].map(some);
    assert!(of_log.len() * 4 >= COUNT);
    let (page, of_node) = (metrics(&of_metrics), traces(&of_traces));
    let port = serve(move |path| match path.split('?').next()? {
        "/metrics" => Some(page.clone()),
        "/trace/recent" if path.contains("failed") => Some(of_node.clone()),
        "/trace/recent" | "/trace/active" => Some(json!({ "traces": [] }).to_string()),
        "/status" => Some(json!({ "name": "ada", "addresses": ["192.168.7.7:7080"] }).to_string()),
        _ => None,
    });
    home.write_config(&format!(
        "transport = {{ host = \"127.0.0.1\", port = {port} }}\nemergency = {{ probe_targets = [] }}\n{}",
        settings(&of_settings)
    ));
    fs::create_dir_all(home.log()).unwrap();
    let day = home.log().join(format!("{}.log", Utc::now().format("%Y-%m-%d")));
    fs::write(&day, log_lines(&of_log)).unwrap();
    let needed = [
        "log.jsonl",
        "config.toml",
        "metrics.txt",
        "traces/failed.json",
        "traces/active.json",
        "status.json",
    ];
    let (archive, files, manifest) = report(&home, &["--private-ip"]);
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    needed.iter().for_each(|path| assert!(files.contains_key(*path), "{path}: {manifest}"));
    let meant: Vec<(&String, Vec<String>)> =
        files.iter().map(|(path, text)| (path, meanings(text))).collect();
    for planted in [&of_log, &of_traces, &of_metrics, &of_settings].into_iter().flatten() {
        for needle in &planted.needles {
            for (path, meanings) in &meant {
                let find = |text: &String| memchr::memmem::find(text.as_bytes(), needle.as_bytes());
                let is_there = meanings.iter().any(|text| find(text).is_some());
                assert!(!is_there, "{} in {path}: {needle}", planted.kind);
            }
        }
    }
    assert!(!files["status.json"].contains("192.168"), "{}", files["status.json"]);
    let log = &files["log.jsonl"];
    ORDINARY.iter().for_each(|text| assert!(log.contains(text), "{text}"));
    assert!(
        log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["ts"].is_string()))
    );
    let failed: Value = serde_json::from_str(&files["traces/failed.json"]).unwrap();
    assert_eq!(failed["traces"][0]["trace_id"], "01M8A0G3D5K2VW2YF5NDMDVJVN");
    assert_eq!(failed["traces"][0]["spans"][0]["start_ms"], 0.5);
    assert!(
        files["metrics.txt"].contains("hearthnet_requests_total{capability=\"llm.chat\",result=\"ok\"} 12")
    );
    assert!(files["config.toml"].parse::<toml::Table>().is_ok(), "{}", files["config.toml"]);
    assert!(files["config.toml"].contains("meta-llama-3.1-8b-instruct-q4_K_M"));
    for (kind, count) in manifest["redacted"].as_object().unwrap() {
        assert!(count.as_u64().unwrap() > 0, "{kind}");
    }
    assert_eq!((&manifest["format"], &manifest["version"]), (&json!("hearthnet-report"), &json!(1)));
}

/// Report that is shown in the console.
struct Opened {
    process: std::process::Child,
    address: String,
}

impl Opened {
    fn of(home: &Home, archive: &Path) -> Opened {
        let mut command = home.command(&["report", "--open", archive.to_str().unwrap()]);
        let mut process = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Opened { process, address: address.trim().to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(std::time::Duration::from_secs(20))
            .build()
            .unwrap();
        let answer = http.get(format!("{}/api/v1/{path}", self.address)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_status_in_a_report_is_that_of_the_node() {
    let node = Home::new().start("");
    let (_, files, manifest) = report(&node.home, &[]);
    assert!(manifest["is_running"] == true, "{manifest}");
    let status: Value = serde_json::from_str(&files["status.json"]).unwrap();
    crate::status::assert_valid(&status);
    assert_eq!(status["open_without_credentials"], node.get("/status").await["open_without_credentials"]);
}

#[tokio::test]
async fn a_report_of_a_killed_node_has_its_last_traces_and_no_key() {
    let node = Home::new().start("");
    let id = request_id(&node.call(ECHO, &json!({ "input": {} })).send().await.unwrap());
    node.trace(&id).await;
    node.wait_for_done(&id).await;
    let own = node.id().await;
    node.signal("KILL");
    let (_, home) = node.wait();
    let seed = fs::read(home.data().join("keys/device.ed25519")).unwrap();
    let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let day = home.log().join(format!("{}.log", Utc::now().format("%Y-%m-%d")));
    let line = json!({ "level": "error", "logger": "a", "msg": format!("half of it is {}", &hex[..32]) })
        .to_string();
    let mut file = fs::File::options().append(true).create(true).open(&day).unwrap();
    file.write_all(format!("{{\"ts\":\"{}\",{}\n", now(), &line[1..]).as_bytes()).unwrap();

    let (archive, files, manifest) = report(&home, &[]);
    assert!(manifest["is_running"] == false && manifest["node"]["id"] == own.as_str(), "{manifest}");
    assert!(files["traces/recent.json"].contains(&id), "{manifest}");
    assert!(files["log.jsonl"].contains("half of it is [key]") && files["log.jsonl"].contains("127.0.0.1"));
    assert!(files["doctor.json"].contains("keys_present") && files["versions.json"].contains("kernel"));
    let home_folder = home.path().to_str().unwrap();
    for (path, text) in &files {
        assert!(!text.contains(&hex[..32]) && !text.contains(home_folder), "{path}: {text}");
    }

    let shown = Opened::of(&home, &archive);
    let overview = shown.get("overview").await;
    assert!(
        overview["node"]["id"] == own.as_str()
            && overview["remarks"][0]["text"].as_str().unwrap().contains("report")
    );
    let traces = shown.get("traces").await;
    assert!(traces["traces"].as_array().unwrap().iter().any(|trace| trace["trace_id"] == id), "{traces}");
    let trace = shown.get(&format!("traces/{id}")).await;
    let root = &trace["parts"][0]["trace"];
    assert_eq!(
        (&root["capability"], &root["fields"]["address"]),
        (&json!(ECHO), &json!("127.0.0.1")),
        "{trace}"
    );
    assert_eq!(trace["lines"].as_u64(), Some(trace["log"].as_array().unwrap().len() as u64), "{trace}");
    assert!(shown.get("logs?text=half").await["lines"][0]["msg"] == "half of it is [key]");
    assert!(!shown.get("doctor").await["checks"].as_array().unwrap().is_empty());
    drop(shown);

    let ran = home.run(&["report", "--out", home.path().join("two.tar.gz").to_str().unwrap()]);
    let said = text_of(&ran.stdout);
    for part in ["two.tar.gz", "doctor.json", "without metrics", "hidden: ", "look through the report"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let refused = home.run(&["report", "--out", home.path().join("two.tar.gz").to_str().unwrap()]);
    assert!(refused.status.code() == Some(1) && text_of(&refused.stderr).contains("--force"), "{refused:?}");
}

#[test]
fn a_report_without_a_configuration_says_so_in_plain_words() {
    let home = Home::new();
    let ran = home.run(&["report", "--out", home.path().join("a.tar.gz").to_str().unwrap()]);
    let said = text_of(&ran.stdout);
    let line = said.lines().find(|line| line.starts_with("  without settings: cannot read "));
    assert!(line.is_some_and(|line| line.contains("config.toml: No such file")), "{said}");
}
