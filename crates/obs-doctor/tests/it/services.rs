//! `disk_space`, `clock_sanity`, `llm_backend_reachable`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use obs_doctor::machine::{HttpError, HttpRequest, HttpResponse, Machine, Volume, Volumes};
use obs_doctor::{Config, Doctor, LlmBackend, SkipReason};

use crate::child::{check, report_behind_a_proxy};
use crate::home::{Home, assert_fails, assert_passes, assert_skips, assert_warns, free_port, no_bus};
use crate::web::{serve, serve_raw, web};

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

fn disk(volume: Volume) -> Machine {
    Machine::default().volumes(Disk(volume))
}

#[test]
fn one_gigabyte_passes_and_a_byte_less_fails() {
    let home = Home::fresh();
    let run = |volume| home.run_on(disk(volume), "disk_space");
    assert_passes(&run(ROOMY), "1.0 GB free");
    assert_passes(&run(Volume { available_inodes: None, ..ROOMY }), "1.0 GB free");
    assert_fails(
        &run(Volume { available_bytes: 999_999_999, ..ROOMY }),
        "0.9 GB free, 1 GB is needed",
        "free space",
    );
    assert_fails(&run(Volume { available_inodes: Some(0), ..ROOMY }), "no free inode", "df -i");
    assert_fails(&run(Volume { read_only: true, ..ROOMY }), "mounted read-only", "mount it writable");
}

#[test]
fn the_disk_of_the_future_folder_is_checked() {
    let mut home = Home::fresh();
    home.config.data_dir = home.root().join("not/yet/there");
    let result = home.run("disk_space");
    let folder = home.root().file_name().unwrap();
    assert!(
        result.evidence.iter().any(|(key, value)| key == "path" && Path::new(value).ends_with(folder)),
        "{result:?}"
    );
    home.config.data_dir = PathBuf::from("/proc/1/nothing");
    assert_fails(&home.run("disk_space"), "0.0 GB free", "larger one");
    let file = home.root().join("file");
    fs::write(&file, "").unwrap();
    home.config.data_dir = file.join("data");
    assert_fails(&home.run("disk_space"), "is not a folder", "move ");
}

/// Returns a machine whose anchors are `skews` seconds ahead of our clock. An anchor of `None` cannot be reached.
fn anchors(skews: &[Option<i64>]) -> Machine {
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
fn a_clock_that_two_anchors_find_wrong_fails() {
    assert_fails(&clock(&[Some(120), Some(120), None]), "120 s slow", "timedatectl");
    assert_fails(&clock(&[Some(-3600), Some(-3600), Some(0)]), "s fast", "timedatectl");
    assert_fails(&clock(&[Some(90)]), "s slow", "timedatectl");
}

#[test]
fn a_clock_within_a_minute_passes() {
    assert_passes(&clock(&[Some(0), Some(0), Some(0)]), "2 of 3 anchors agree");
    assert_passes(&clock(&[Some(59), Some(-59), None]), "2 of 3 anchors agree");
    assert_passes(&clock(&[Some(0), None, None]), "1 of 3 anchors agree");
}

#[test]
fn one_anchor_alone_is_not_believed() {
    assert_passes(&clock(&[Some(9999), Some(0), Some(0)]), "2 of 3 anchors agree");
    assert_warns(&clock(&[Some(9999), Some(0), None]), "one of 2 anchors", "timedatectl");
    assert_warns(&clock(&[Some(9999), None, None]), "one of 1 anchors", "timedatectl");
}

/// Two anchors that differ by more than a minute cannot both be right.
#[test]
fn contradicting_anchors_prove_nothing() {
    assert_warns(&clock(&[Some(300), Some(-300), None]), "one of 2 anchors", "timedatectl");
    assert_warns(&clock(&[Some(300), Some(9000), Some(-300)]), "one of 3 anchors", "timedatectl");
    // The two that agree are believed, whatever the order of the answers.
    for anchors in [[300, -300, 310], [-300, 300, 310], [300, 310, -300]] {
        assert_fails(&clock(&anchors.map(Some)), "s slow", "timedatectl");
    }
}

/// A router without an internet connection answers for all anchors, with its own clock, which is in 1970.
#[test]
fn no_false_fail_behind_a_captive_portal() {
    let stopped = "Thu, 01 Jan 1970 00:01:00 GMT";
    let portal = |status: u16, location: Option<&'static str>| {
        move |_: &HttpRequest| {
            let answer = HttpResponse::new(status).header("date", stopped);
            Ok(location.map_or(answer.clone(), |to| answer.header("location", to)))
        }
    };
    // The default anchors answer 204 only.
    let usual = Home::fresh().config.clock_anchors(Config::default().clock_anchors);
    let own = usual.clone().clock_anchors(["http://a.example/", "http://b.example/"]);
    for (config, status, location) in [
        (&usual, 200, None),
        (&usual, 302, Some("/login")),
        (&own, 302, Some("http://login.router/?from=a.example")),
        (&own, 307, Some("http://192.168.1.1")),
        (&own, 511, None),
    ] {
        let doctor = Doctor::standard().machine(web(portal(status, location)));
        let result = doctor.run_one_blocking("clock_sanity", config, &no_bus()).unwrap();
        assert_skips(&result, SkipReason::Unreachable, "no clock anchor");
        assert!(result.evidence.iter().all(|(_, said)| said.contains("login page")), "{result:?}");
    }
    // A redirect to the same host, such as to https, still tells the time.
    let doctor = Doctor::standard().machine(web(portal(301, Some("https://A.example/"))));
    let own = own.clock_anchors(["http://a.example/"]);
    let result = doctor.run_one_blocking("clock_sanity", &own, &no_bus()).unwrap();
    assert_fails(&result, "s fast", "timedatectl");
}

#[test]
fn an_anchor_that_redirects_is_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let elsewhere = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        (200, String::new(), String::new())
    });
    let server = serve(move |_| {
        let date = httpdate::fmt_http_date(SystemTime::now());
        (302, format!("date: {date}\r\nlocation: http://{elsewhere}/\r\n"), String::new())
    });
    let mut home = Home::fresh();
    home.config.clock_anchors = vec![format!("http://{server}/")];
    // The redirect leads to the same host, so its date counts.
    assert_passes(&home.run("clock_sanity"), "1 of 1 anchors agree");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn without_a_usable_answer_the_clock_is_not_judged() {
    assert_skips(&clock(&[None, None, None]), SkipReason::Unreachable, "no clock anchor");
    assert_skips(&clock(&[]), SkipReason::NotConfigured, "no clock anchors");
    let home = Home::fresh();
    for answer in [
        HttpResponse::new(200),
        HttpResponse::new(200).header("date", "tomorrow"),
        HttpResponse::new(200).header("date", "Thu, 01 Jan 1970 00:00:00 GMT").header("age", "0"),
    ] {
        let machine = web(move |_| Ok(answer.clone()));
        assert_skips(&home.run_on(machine, "clock_sanity"), SkipReason::Unreachable, "no clock anchor");
    }
    let mut home = Home::fresh();
    home.config.offline = true;
    assert_skips(&home.run("clock_sanity"), SkipReason::Offline, "offline");
}

#[test]
fn a_real_server_is_an_anchor() {
    let server =
        serve(|_| (204, format!("Date: {}\r\n", httpdate::fmt_http_date(SystemTime::now())), String::new()));
    let mut home = Home::fresh();
    home.config.clock_anchors = vec![format!("http://{server}/")];
    assert_passes(&home.run("clock_sanity"), "1 of 1 anchors agree");
}

/// Returns the result for a backend that responds with `answer(path)`.
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
fn both_interfaces_pass() {
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
    let dead = format!("http://127.0.0.1:{}", free_port());
    assert_passes(&ask_llm(&[&dead, &format!("http://{server}")]), "1 model");
}

#[test]
fn no_false_pass_on_another_server() {
    assert_fails(&llm(|_| (200, "<html>Welcome to your router</html>")), "not a list of models", "set `url`");
    assert_fails(&llm(|_| (200, r#"{"status":"ok"}"#)), "not a list of models", "set `url`");
    assert_fails(&llm(|_| (302, "")), "redirects to another address", "set `url`");
    assert_fails(&llm(|_| (404, "no")), "HTTP 404", "set `url`");
    assert_fails(&llm(|_| (500, "oops")), "HTTP 500", "log of the backend");
    assert_fails(&ask_llm(&["ftp://127.0.0.1/"]), "not a usable URL", "correct `url`");
    let dead = format!("http://127.0.0.1:{}", free_port());
    assert_fails(&ask_llm(&[&dead]), "local: connection refused", "start the backend");
    assert_fails(&ask_llm(&[&dead, &dead]), "none of 2 backends answers", "start the backend");
}

/// Hostile and broken backends. Each is reported by its behaviour within the deadline of a check.
#[test]
fn no_false_pass_on_an_endless_answer() {
    let check = |said: &str, begin: &'static str, again: &'static str, pause: Duration| {
        let again = again.repeat(if pause.is_zero() { 1000 } else { 1 });
        let server = serve_raw(move |stream| {
            stream.write_all(begin.as_bytes())?;
            loop {
                stream.write_all(again.as_bytes())?;
                std::thread::sleep(pause);
            }
        });
        // The check exceeds its deadline if it reads on, which gives another verdict.
        assert_fails(&ask_llm(&[&format!("http://{server}")]), said, "");
    };
    const LIST: &str = "HTTP/1.1 200 OK\r\n\r\n{\"models\":[{\"name\":\"a\"}";
    check(
        "a body of more than",
        LIST,
        ",{\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
        Duration::ZERO,
    );
    check("no answer in time", LIST, " ", Duration::from_millis(20));
    check("no answer in time", "HTTP/1.1 200 OK\r\n", "x", Duration::from_millis(20));
    check("is not valid HTTP", "HTTP/1.1 200 OK\r\n", "x-more: and more\r\n", Duration::ZERO);
    check("is not valid HTTP", "SSH-2.0-OpenSSH_9.6\r\n", " ", Duration::from_millis(20));
}

#[test]
fn a_refused_key_is_a_warning_and_is_sent_as_bearer() {
    let backend = |key: &str| {
        // Cargo sets these variables in every test process.
        let server = serve(|_| (403, String::new(), "{}".to_owned()));
        let backend = LlmBackend::new("own", format!("http://{server}")).api_key_env(Some(key.to_owned()));
        let mut home = Home::fresh();
        home.config.llm_backends = vec![backend];
        home.run("llm_backend_reachable")
    };
    for variable in ["CARGO_MANIFEST_DIR", "NO_SUCH_VARIABLE"] {
        assert_warns(&backend(variable), "refuses the API key (HTTP 403)", "api_key_env");
    }
}

/// A missing internet connection is not a fault of the node. A backend at home that is down is one.
#[test]
fn without_internet_a_remote_backend_is_not_judged() {
    let ask = |urls: &[&str], err: HttpError| {
        let mut home = Home::fresh();
        home.config.llm_backends = urls.iter().map(|url| LlmBackend::new("one", *url)).collect();
        home.run_on(web(move |_| Err(err.clone())), "llm_backend_reachable")
    };
    const FAR: &str = "http://api.example.com/v1";
    for down in [HttpError::NoRoute, HttpError::NoNameServer, HttpError::Unreached] {
        assert_skips(&ask(&[FAR], down.clone()), SkipReason::Unreachable, &format!("one: {down}"));
        assert_fails(
            &ask(&["http://192.168.1.7:11434"], down.clone()),
            &down.to_string(),
            "start the backend",
        );
        assert_fails(
            &ask(&[FAR, "http://gpu.local:11434"], down.clone()),
            &down.to_string(),
            "start the backend",
        );
    }
    // The connection was refused, so the host was reached.
    for up in [HttpError::Refused, HttpError::Closed, HttpError::Timeout, HttpError::NameNotFound] {
        assert_fails(&ask(&[FAR], up.clone()), &up.to_string(), "");
    }
}

/// A proxy of the environment would answer for a backend that is not running.
#[test]
fn no_false_pass_by_a_proxy() {
    let proxy = serve(|_| (200, String::new(), r#"{"models":[{"name":"a"}]}"#.to_owned()));
    let mut home = Home::fresh();
    home.config.port = free_port();
    home.config.llm_backends = vec![LlmBackend::new("local", format!("http://127.0.0.1:{}", free_port()))];
    let report = report_behind_a_proxy(&home, &format!("http://{proxy}"));
    let backend = check(&report, "llm_backend_reachable");
    assert!(backend["detail"].as_str().unwrap().contains("connection refused"), "{backend}");
    assert_eq!(check(&report, "transport_port")["status"], "pass", "{report:#}");
}

#[test]
fn no_backend_or_no_local_backend_is_skipped() {
    assert_skips(&ask_llm(&[]), SkipReason::NotConfigured, "no `[[llm.backends]]`");
    let mut home = Home::fresh();
    home.config.offline = true;
    home.config.llm_backends = vec![LlmBackend::new("far", "http://api.example.com/v1")];
    assert_skips(&home.run("llm_backend_reachable"), SkipReason::Offline, "on the internet");
    let dead = format!("http://127.0.0.1:{}", free_port());
    home.config.llm_backends.push(LlmBackend::new("near", dead));
    assert_fails(&home.run("llm_backend_reachable"), "near: connection refused", "start the backend");
}

#[test]
#[cfg(not(feature = "tls"))]
fn https_without_tls_is_reported() {
    assert_skips(&ask_llm(&["https://127.0.0.1/v1"]), SkipReason::Unsupported, "feature `tls`");
}
