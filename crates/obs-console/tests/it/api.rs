//! The API's parameters and answers.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::server::Server;

fn api(path: &str) -> String {
    format!("/console/api/v1/{path}")
}

#[test]
fn parameters_reach_the_source() {
    let server = Server::local();
    for (path, wanted) in [
        ("overview?since=2h&until=1h", "overview 3600"),
        ("series?family=f&label.capability=llm.chat", "series f [(\"capability\", \"llm.chat\")]"),
        (
            "traces?capability=a&status=failed&min_ms=1.5&sort=slowest&active=true&n=7",
            "slowest: true, active: true, n: 7",
        ),
        ("traces?id=01J%E2%80%A6Z9", "id: Some(\"01J…Z9\")"),
        ("logs?level=warning&text=%C3%A9&field.a.b=c&n=3", "fields: [(\"a.b\", \"c\")]"),
        ("logs?around=2026-01-31T12:00:00.123Z", "around: Some(\"2026-01-31T12:00:00.123Z\")"),
        ("doctor", "doctor false"),
    ] {
        let answer = server.get(&api(path), "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let asked = server.fake.asked.lock().unwrap().pop().unwrap();
        assert!(asked.contains(wanted), "{path}: {asked}");
    }
}

#[test]
fn unknown_and_malformed_parameters_are_refused_with_the_reason() {
    let server = Server::local();
    for (path, reason) in [
        ("overview?sinse=1h", "`sinse` is not a parameter of this request; there are since, until"),
        ("overview?since=yesterday", "`since` is `yesterday`"),
        ("metrics?a=b", "which has none"),
        ("doctor?run=true", "which has none"),
        ("series", "`family` is needed"),
        ("traces?n=0", "a number from 1 to 1000"),
        ("traces?sort=up", "newest, slowest"),
        ("traces?min_ms=fast", "milliseconds"),
        ("traces?id=%3Cscript%3E", "no part of an ID"),
        ("traces?capability=a&capability=b", "given twice"),
        ("traces/%3Cscript%3E", "not an ID"),
        ("traces/%FF", "not UTF-8"),
        ("traces/01J?peers=maybe", "true or false"),
        ("logs?level=loud", "debug, info, warning, error"),
        ("logs?around=1h", "an instant"),
        ("logs?trace=a/b", "not an ID"),
        ("logs/tail?n=5", "not a parameter"),
        ("logs/download?x=1", "not a parameter"),
    ] {
        let answer = server.get(&api(path), "");
        assert_eq!(answer.status, 400, "{path}");
        let refusal: obs_console::api::Refusal = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(refusal.error, "bad_request");
        assert!(refusal.message.contains(reason), "{path}: {}", refusal.message);
        assert!(answer.text.len() < 600, "{path}");
    }
    assert!(server.fake.asked.lock().unwrap().is_empty());
}

#[test]
fn bad_bodies_methods_and_paths_are_refused() {
    let server = Server::local();
    let post = |path: &str, body: &str| {
        server.send(&format!("POST {}", api(path)), "X-HearthNet-Console: 1\r\n", body)
    };
    for body in ["x", "{}x", "{\"until\":-1}", "{\"until\":\"</script>\"}", "[]]"] {
        let answer = post("problems/a/mute", body);
        assert!(answer.status == 400 && !answer.text.contains("script"), "{body}: {}", answer.text);
    }
    assert_eq!(post("problems/a/mute", &format!("{{\"until\":1}}{}", " ".repeat(10_000))).status, 413);
    assert_eq!(post("problems/a%2F..%2Fb/mute", "{\"until\":null}").status, 400);
    assert_eq!(post("problems/line:1a2b/mute", "{\"until\":null}").status, 204);
    assert_eq!(post("overview", "").status, 405);
    assert_eq!(server.get(&api("doctor/run"), "").status, 405);
    for path in ["none", "", "../../etc/passwd", "traces/a/b"] {
        let answer = server.get(&api(path), "");
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/json")), "{path}");
    }
}

#[test]
fn failures_of_the_source_have_a_status_and_a_bounded_reason() {
    let server = Server::local();
    let missing = server.get(&api("traces/01J"), "");
    assert!(missing.status == 404 && missing.text.len() < 1100, "{}", missing.text.len());
    assert_eq!(server.get(&api("peers"), "").status, 503);
    assert_eq!(server.get(&api("logs?text=panic"), "").status, 500);
    assert_eq!(server.get(&api("logs"), "").status, 200);
}

#[test]
fn answers_are_compressed_for_those_who_accept_it() {
    let server = Server::local();
    let plain = server.get(&api("traces?n=1000"), "");
    assert_eq!(plain.header("content-encoding"), None);
    let short = server.get(&api("traces?n=1000"), "Accept-Encoding: gzip, deflate, br\r\n");
    assert_eq!(short.header("content-encoding"), Some("gzip"));
    assert!(short.body.len() * 10 < plain.body.len(), "{} of {}", short.body.len(), plain.body.len());
    let mut text = String::new();
    GzDecoder::new(short.body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text);
}

#[test]
fn a_download_has_all_lines_and_is_a_file() {
    let server = Server::local();
    let answer = server.get(&api("logs/download?n=5"), "");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-disposition").unwrap().starts_with("attachment"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.text.matches("\"msg\"").count(), 10_000, "n is not a limit");
}

#[test]
fn the_page_is_served_with_its_type() {
    let server = Server::local();
    let page = server.get("/console/traces?status=failed", "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let tag = page.header("etag").unwrap();
    assert_eq!(server.get("/console/", &format!("If-None-Match: {tag}\r\n")).status, 304);
    assert_eq!(server.get("/console/assets/none.js", "").status, 404);
    assert_eq!(server.get("/console/..%2f..%2fCargo.toml", "").status, 404);
    assert_eq!(server.send("POST /console/", "", "x").status, 405);
}
