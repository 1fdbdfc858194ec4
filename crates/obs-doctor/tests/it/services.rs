//! `disk_space`, `clock_sanity`, `llm_backend_reachable`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use obs_doctor::system::{HttpError, HttpResponse, System, Volume, Volumes};
use obs_doctor::{LlmBackend, SkipReason};

use crate::home::{Home, assert_fails, assert_passes, assert_skips, assert_warns};
use crate::web::{serve, web};

struct Disk(Volume);

impl Volumes for Disk {
    fn of(&self, _path: &Path) -> io::Result<Volume> {
        Ok(self.0)
    }
}

const ROOMY: Volume = Volume {
    available_bytes: 1_000_000_000,
    total_bytes: 2_000_000_000,
    available_inodes: Some(1),
    read_only: false,
};

fn disk(volume: Volume) -> System {
    System::default().volumes(Disk(volume))
}

#[test]
fn d2_one_gigabyte_is_enough_and_a_byte_less_is_not() {
    let home = Home::fresh();
    let run = |volume| home.run_on(disk(volume), "disk_space");
    assert_passes(&run(ROOMY), "1.0 GB free");
    assert_passes(&run(Volume { available_inodes: None, ..ROOMY }), "1.0 GB free");
    assert_fails(
        &run(Volume { available_bytes: 999_999_999, ..ROOMY }),
        "0.9 GB free, 1 GB is needed",
        "free space",
    );
    assert_fails(&run(Volume { available_inodes: Some(0), ..ROOMY }), "out of inodes", "df -i");
    assert_fails(&run(Volume { read_only: true, ..ROOMY }), "mounted read-only", "mount it writable");
}

#[test]
fn d2_the_real_disk_is_asked_where_the_folder_will_be() {
    let mut home = Home::fresh();
    home.config.data_dir = home.root().join("not/yet/there");
    let result = home.run("disk_space");
    assert!(
        result.evidence.iter().any(|(key, value)| key == "path" && Path::new(value) == home.root()),
        "{result:?}"
    );
    home.config.data_dir = PathBuf::from("/proc/1/nothing");
    assert_fails(&home.run("disk_space"), "0.0 GB free", "larger one");
    let file = home.root().join("file");
    fs::write(&file, "").unwrap();
    home.config.data_dir = file.join("data");
    assert_fails(&home.run("disk_space"), "is not a folder", "move ");
}

/// The system with anchors that are `skews` seconds ahead of our clock; `None` cannot be reached.
fn anchors(skews: &[Option<i64>]) -> System {
    let skews = skews.to_vec();
    web(move |request| {
        let at: usize = request.url.trim_end_matches('/').rsplit('a').next().unwrap().parse().unwrap();
        let skew = skews[at].ok_or(HttpError::NoRoute)?;
        let now = SystemTime::now();
        let step = Duration::from_secs(skew.unsigned_abs());
        let date = if skew < 0 { now - step } else { now + step };
        Ok(HttpResponse::new(301).header("date", httpdate::fmt_http_date(date)))
    })
}

fn clock(skews: &[Option<i64>]) -> obs_doctor::CheckResult {
    let mut home = Home::fresh();
    home.config.clock_anchors = (0..skews.len()).map(|at| format!("http://a{at}/")).collect();
    home.run_on(anchors(skews), "clock_sanity")
}

#[test]
fn d2_a_clock_that_two_anchors_find_wrong_fails() {
    assert_fails(&clock(&[Some(120), Some(120), None]), "120 s slow", "timedatectl");
    assert_fails(&clock(&[Some(-3600), Some(-3600), Some(0)]), "s fast", "timedatectl");
    assert_fails(&clock(&[Some(90)]), "s slow", "timedatectl");
}

#[test]
fn d2_a_clock_within_a_minute_passes() {
    assert_passes(&clock(&[Some(0), Some(0), Some(0)]), "2 of 3 anchors agree");
    assert_passes(&clock(&[Some(59), Some(-59), None]), "2 of 3 anchors agree");
    assert_passes(&clock(&[Some(0), None, None]), "1 of 3 anchors agree");
}

#[test]
fn d2_one_anchor_alone_is_not_believed() {
    assert_passes(&clock(&[Some(9999), Some(0), Some(0)]), "2 of 3 anchors agree");
    assert_warns(&clock(&[Some(9999), Some(0), None]), "says one anchor of 2", "timedatectl");
    assert_warns(&clock(&[Some(9999), None, None]), "says one anchor of 1", "timedatectl");
}

#[test]
fn d2_without_an_answer_of_worth_the_clock_is_not_judged() {
    assert_skips(&clock(&[None, None, None]), SkipReason::Unreachable, "no clock anchor");
    assert_skips(&clock(&[]), SkipReason::NotConfigured, "no clock anchors");
    let home = Home::fresh();
    for answer in [
        HttpResponse::new(200),
        HttpResponse::new(200).header("date", "tomorrow"),
        HttpResponse::new(200).header("date", "Thu, 01 Jan 1970 00:00:00 GMT").header("age", "0"),
    ] {
        let system = web(move |_| Ok(answer.clone()));
        assert_skips(&home.run_on(system, "clock_sanity"), SkipReason::Unreachable, "no clock anchor");
    }
    let mut home = Home::fresh();
    home.config.offline = true;
    assert_skips(&home.run("clock_sanity"), SkipReason::Offline, "offline");
}

#[test]
fn d2_probe_targets_stand_in_for_anchors() {
    let mut home = Home::fresh();
    home.config.clock_anchors.clear();
    home.config.probe_targets = vec!["a0".to_owned()];
    assert_fails(&home.run_on(anchors(&[Some(90)]), "clock_sanity"), "s slow", "timedatectl");
}

#[test]
fn d2_a_real_server_is_an_anchor() {
    let server =
        serve(|_| (204, format!("Date: {}\r\n", httpdate::fmt_http_date(SystemTime::now())), String::new()));
    let mut home = Home::fresh();
    home.config.clock_anchors = vec![format!("http://{server}/")];
    assert_passes(&home.run("clock_sanity"), "1 of 1 anchors agree");
}

/// The result for a backend that answers `answer(path)`.
fn llm(answer: impl Fn(&str) -> (u16, &'static str) + Send + 'static) -> obs_doctor::CheckResult {
    let server = serve(move |path| {
        let (status, body) = answer(path);
        (status, String::new(), body.to_owned())
    });
    ask_llm(&[&format!("http://{server}")])
}

fn ask_llm(urls: &[&str]) -> obs_doctor::CheckResult {
    let mut home = Home::fresh();
    home.config.llm_backends = urls.iter().map(|url| LlmBackend::new("local", *url)).collect();
    home.run("llm_backend_reachable")
}

#[test]
fn d2_both_interfaces_pass() {
    let ollama = |path: &str| match path {
        "/api/tags" => (200, r#"{"models":[{"name":"a"},{"name":"b"}]}"#),
        _ => (404, "404 page not found"),
    };
    assert_passes(&llm(ollama), "local: 2 models");
    let openai = |path: &str| match path {
        "/v1/models" => (200, r#"{"object":"list","data":[{"id":"a"}]}"#),
        _ => (404, "{}"),
    };
    assert_passes(&llm(openai), "local: 1 model");
    let server = serve(move |path| (openai(path).0, String::new(), openai(path).1.to_owned()));
    assert_passes(&ask_llm(&[&format!("http://{server}/v1/")]), "1 model");
    let dead = format!("http://127.0.0.1:{}", crate::home::free_port());
    assert_passes(&ask_llm(&[&dead, &format!("http://{server}")]), "1 model");
}

#[test]
fn d_07_no_false_pass_on_what_is_no_model_server() {
    assert_fails(
        &llm(|_| (200, "<html>Welcome to your router</html>")),
        "not with a list of models",
        "set `url`",
    );
    assert_fails(&llm(|_| (200, r#"{"status":"ok"}"#)), "not with a list of models", "set `url`");
    assert_fails(&llm(|_| (302, "")), "sends us elsewhere", "set `url`");
    assert_fails(&llm(|_| (404, "no")), "HTTP 404", "set `url`");
    assert_fails(&llm(|_| (500, "oops")), "HTTP 500", "own log");
    assert_fails(&ask_llm(&["ftp://127.0.0.1/"]), "not a usable address", "correct `url`");
    let dead = format!("http://127.0.0.1:{}", crate::home::free_port());
    assert_fails(&ask_llm(&[&dead]), "local: connection refused", "start the backend");
    assert_fails(&ask_llm(&[&dead, &dead]), "none of 2 backends answers", "start the backend");
}

#[test]
fn d2_nothing_configured_or_nothing_near_is_skipped() {
    assert_skips(&ask_llm(&[]), SkipReason::NotConfigured, "no `[[llm.backends]]`");
    let mut home = Home::fresh();
    home.config.offline = true;
    home.config.llm_backends = vec![LlmBackend::new("far", "http://api.example.com/v1")];
    assert_skips(&home.run("llm_backend_reachable"), SkipReason::Offline, "on the internet");
    let dead = format!("http://127.0.0.1:{}", crate::home::free_port());
    home.config.llm_backends.push(LlmBackend::new("near", dead));
    assert_fails(&home.run("llm_backend_reachable"), "near: connection refused", "start the backend");
}

#[test]
#[cfg(not(feature = "tls"))]
fn d2_https_without_tls_says_so() {
    assert_skips(&ask_llm(&["https://127.0.0.1/v1"]), SkipReason::Unsupported, "feature `tls`");
}
