//! The console of a real node: its API after real calls, after a kill, over two nodes, and without a secret.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, free_port, request_id, text_of};

const API: &str = "/console/api/v1";

async fn api(node: &Node, path: &str) -> Value {
    let response = node.http.get(node.url(&format!("{API}{path}"))).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}: {:?}", response.text().await);
    response.json().await.unwrap()
}

/// Calls a capability, and returns the ID of its trace once that has ended.
async fn called(node: &Node, capability: &str) -> String {
    let response = node.call(capability, &json!({ "input": { "a": 1 } })).send().await.unwrap();
    let id = request_id(&response);
    response.bytes().await.unwrap();
    node.trace(&id).await;
    id
}

/// Checks that a trace has its lines, and its root the fields of the last of them.
fn has_its_lines(detail: &Value) {
    let lines = detail["log"].as_array().unwrap();
    assert_eq!(
        (&detail["lines"], &detail["lines_cut_off"]),
        (&json!(lines.len()), &json!(false)),
        "{detail}"
    );
    let done = of(&detail["log"], "msg", "done");
    let root = &detail["parts"][0]["trace"];
    assert_eq!((&done["trace_id"], &done["ms"].is_f64()), (&detail["trace_id"], &true), "{detail}");
    assert_eq!(root["fields"]["address"], json!("127.0.0.1"), "{detail}");
    for own in ["ts", "msg", "capability", "status", "ms", "spans"] {
        assert!(root["fields"].get(own).is_none(), "{own}: {detail}");
    }
}

fn of<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|entry| entry[key] == value);
    found.unwrap_or_else(|| panic!("{key} {value} in {list}"))
}

#[tokio::test]
async fn each_route_tells_of_real_calls() {
    let node = Home::new().start("");
    let mut id = String::new();
    for _ in 0..3 {
        id = called(&node, ECHO).await;
    }
    called(&node, "no.such").await;

    let overview = api(&node, "/overview?since=1h").await;
    let echo = of(&overview["capabilities"], "capability", ECHO);
    assert_eq!((&echo["calls"], &echo["errors"]), (&json!(3), &json!(0)), "{overview}");
    assert!(echo["p50_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{echo}");
    assert_eq!(overview["node"]["id"], node.id().await);
    assert!(of(&overview["gauges"], "title", "Memory")["value"].as_f64().unwrap() > 1e6);
    assert_eq!(overview["runs"].as_array().unwrap().len(), 1, "{overview}");

    let series =
        api(&node, &format!("/series?family=hearthnet_requests_total&label.capability={ECHO}&since=1h"))
            .await;
    let calls: f64 =
        series["points"].as_array().unwrap().iter().map(|point| point["value"].as_f64().unwrap()).sum();
    assert_eq!(calls, 3.0, "{series}");

    let traces = api(&node, &format!("/traces?capability={ECHO}&n=10")).await;
    assert_eq!(traces["traces"].as_array().unwrap().len(), 3, "{traces}");
    let failed = api(&node, "/traces?status=failed&n=10").await;
    assert_eq!(failed["traces"][0]["status"], "not_found", "{failed}");
    let detail = api(&node, &format!("/traces/{id}?peers=true")).await;
    assert_eq!(detail["parts"][0]["trace"]["capability"], ECHO, "{detail}");
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let lines = api(&node, &format!("/logs?trace={id}&n=50")).await;
        if lines["lines"].as_array().unwrap().iter().any(|line| line["msg"] == "done") {
            break;
        }
        assert!(Instant::now() < deadline, "{lines}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    has_its_lines(&api(&node, &format!("/traces/{id}")).await);

    let families = api(&node, "/metrics").await;
    let durations = of(&families["families"], "name", "hearthnet_request_duration_seconds");
    let sample =
        durations["samples"].as_array().unwrap().iter().find(|sample| sample["labels"]["capability"] == ECHO);
    assert_eq!((&sample.unwrap()["quantiles"]["count"], &durations["in_history"]), (&json!(3), &json!(true)));
    assert!(sample.unwrap()["exemplar"]["trace_id"].is_string(), "{durations}");
    assert!(api(&node, "/doctor").await["checks"].is_array());
    assert!(api(&node, "/problems").await["problems"].is_array());
    assert!(api(&node, "/peers").await["none_because"].as_str().unwrap().contains("static_peers"));
}

#[tokio::test]
async fn the_root_leads_a_browser_here_to_the_console_and_others_to_a_list() {
    let node = Home::new().start("");
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let ask = |accept: &'static str, forwarded: bool| {
        let request = client.get(node.url("/")).header("accept", accept);
        // A proxy makes it a request of another machine.
        if forwarded { request.header("x-forwarded-for", "10.0.0.7") } else { request }
    };
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    let led = ask(browser, false).send().await.unwrap();
    assert_eq!(
        (led.status(), &led.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/console".parse().unwrap())
    );
    let list = ask(browser, true).send().await.unwrap();
    assert_eq!(list.status(), StatusCode::OK);
    let list = list.text().await.unwrap();
    assert!(list.contains("/metrics") && !list.contains("/console") && !list.contains("/status"), "{list}");
    let json: Value = ask("application/json", false).send().await.unwrap().json().await.unwrap();
    assert_eq!(of(&json["routes"], "path", "/console")["path"], "/console");

    let output = node.home.run(&["console", "--url-only"]);
    assert_eq!(text_of(&output.stdout), format!("http://127.0.0.1:{}/console\n", node.port));
    let home = node.stop();
    let port = home.configure_free_port("[observability]\nconsole = \"lan\"");
    let link = text_of(&home.run(&["console", "--url-only"]).stdout);
    let token = std::fs::read_to_string(home.data().join("console-token")).unwrap();
    assert_eq!(link, format!("http://127.0.0.1:{port}/console#token={}\n", token.trim()));
    let node = home.start("[observability]\nconsole = \"off\"");
    for path in ["/console", "/console/api/v1/overview"] {
        let response = node.http.get(node.url(path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let output = node.home.run(&["console"]);
    assert!(!output.status.success() && text_of(&output.stderr).contains("console = \"local\""));
}

#[tokio::test]
async fn after_a_kill_under_load_the_console_shows_what_was() {
    let node = Home::new().start("");
    let mut last = String::new();
    for _ in 0..20 {
        last = called(&node, ECHO).await;
    }
    let flood = (0..50).map(|_| node.call(ECHO, &json!({})).send());
    let flood = futures_util::future::join_all(flood);
    let (_, ()) = tokio::join!(flood, async { node.signal("KILL") });
    let (_, home) = node.wait();
    let node = home.start("");
    let deadline = Instant::now() + Duration::from_secs(20);
    let kept = loop {
        // Traces of before come back in the background.
        let found = api(&node, &format!("/traces?id={last}&n=5")).await;
        if let Some(trace) = found["traces"].as_array().unwrap().first() {
            break trace.clone();
        }
        assert!(Instant::now() < deadline, "{found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&kept["before_restart"], &kept["capability"]), (&json!(true), &json!(ECHO)));
    let lines = api(&node, &format!("/logs?trace={last}&n=50")).await;
    assert!(lines["lines"].as_array().unwrap().iter().any(|line| line["msg"] == "done"), "{lines}");
    has_its_lines(&api(&node, &format!("/traces/{last}")).await);
    let overview = api(&node, "/overview?since=1d").await;
    assert!(overview["history_missing"].is_null(), "{overview}");
}

#[tokio::test]
async fn a_call_over_two_nodes_is_one_trace_and_a_peer_that_is_down_is_a_gap() {
    let ports = [free_port(), free_port(), free_port()];
    let config = |us: usize, peers: &[u16], more: &str| {
        let peers: Vec<_> = peers.iter().map(|port| format!("\"http://127.0.0.1:{port}\"")).collect();
        format!(
            "transport = {{ host = \"127.0.0.1\", port = {}, rate_limit_soft_rps = 0, rate_limit_hard_rps = 0 }}\n\
             emergency = {{ probe_targets = [] }}\ndiscovery = {{ static_peers = [{}] }}\n{more}",
            ports[us],
            peers.join(", ")
        )
    };
    let (one, two) = (Home::new(), Home::new());
    // Nothing listens on the third port.
    one.write_config(&config(0, &[ports[1], ports[2]], "bus = { offer = [] }"));
    two.write_config(&config(1, &[], ""));
    let two = Node::start(two, ports[1]);
    let one = Node::start(one, ports[0]);
    one.wait_for_metric("hearthnet_nodes_online", "", 1.0).await;
    let id = called(&one, ECHO).await;
    two.trace(&id).await;

    let detail = api(&one, &format!("/traces/{id}?peers=true")).await;
    let parts = detail["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 3, "{detail}");
    let forward = of(&parts[0]["trace"]["spans"], "name", "forward");
    assert_eq!(parts[1]["trace"]["parent_span_id"], forward["span_id"], "{detail}");
    let (begin, offset) = (forward["offset_ms"].as_f64().unwrap(), parts[1]["offset_ms"].as_f64().unwrap());
    let end = begin + forward["duration_ms"].as_f64().unwrap();
    assert!((begin..=end).contains(&offset), "{detail}");
    assert!(parts[2]["missing"].as_str().unwrap().contains("refused"), "{detail}");

    let peers = api(&one, "/peers").await;
    let peers = peers["peers"].as_array().unwrap();
    assert_eq!(
        (&peers[0]["up"], &peers[0]["calls"], &peers[0]["errors"]),
        (&json!(true), &json!(1), &json!(0))
    );
    assert!(peers[0]["latency_ms"].as_f64().unwrap() > 0.0 && peers[0]["version"].is_string(), "{peers:?}");
    assert!(peers[1]["up"] == false && peers[1]["last_error"].is_string(), "{peers:?}");
    let overview = api(&one, "/overview?since=1h").await;
    assert!(overview["remarks"].to_string().contains("No answer from"), "{overview}");
}

#[tokio::test]
async fn planted_secrets_are_in_no_answer() {
    const SECRETS: [&str; 4] =
        ["hunter2hunter2", "s3cr3t-t0k3n-value", "sk-proj-abcdefghijklmnop", "c00kie-c00kie-c00kie"];
    let model = "[[llm.backends]]\nname = \"m\"\nurl = \"http://127.0.0.1:1\"";
    let node = Home::new().start(model);
    let input =
        json!({ "input": { "messages": [{ "role": "user", "content": "sk-proj-abcdefghijklmnop" }] } });
    for capability in ["llm.chat", ECHO, "http://ann:hunter2hunter2@evil/?token=s3cr3t-t0k3n-value"] {
        let call = node.call(capability, &input).bearer_auth("sk-proj-abcdefghijklmnop");
        let response = call.header("cookie", "session=c00kie-c00kie-c00kie").send().await.unwrap();
        response.bytes().await.unwrap();
    }
    let path = "/bus/v1/none?token=s3cr3t-t0k3n-value";
    node.http.get(node.url(path)).send().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while api(&node, "/traces?n=100").await["traces"].as_array().unwrap().len() < 3 {
        assert!(Instant::now() < deadline, "three calls were made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut all = String::new();
    for path in [
        "/overview?since=1h",
        "/traces?n=100",
        "/logs?n=1000",
        "/logs/download",
        "/metrics",
        "/doctor",
        "/problems",
        "/peers",
    ] {
        let response = node.http.get(node.url(&format!("{API}{path}"))).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        all += &response.text().await.unwrap();
    }
    let traces = api(&node, "/traces?n=100").await;
    for trace in traces["traces"].as_array().unwrap() {
        all += &api(&node, &format!("/traces/{}", trace["trace_id"].as_str().unwrap())).await.to_string();
    }
    assert!(all.contains("llm.chat") && all.contains(ECHO));
    for secret in SECRETS {
        assert!(
            !all.contains(secret),
            "{secret} at {:?}",
            all.find(secret).map(|at| &all[at.saturating_sub(200)..at])
        );
    }
}

/// The log is 0600, and the page shows its lines.
#[tokio::test]
async fn of_the_users_of_this_machine_the_nodes_own_and_root_see_the_console() {
    let node = Home::new().start("");
    called(&node, ECHO).await;
    for path in ["/overview", "/logs?n=5", "/traces", "/problems", "/metrics", "/doctor", "/sessions"] {
        let path = format!("{API}{path}");
        // 65534 is also the user that stands for all users of other namespaces.
        for (user, is_admitted) in [(12_345, false), (65_534, false), (0, true)] {
            if let Some(answer) = node.asked_as(user, &path) {
                assert_eq!(
                    answer.starts_with("HTTP/1.1 200 OK"),
                    is_admitted,
                    "{path}, user {user}: {answer}"
                );
                assert_eq!(answer.starts_with("HTTP/1.1 401"), !is_admitted, "{path}, user {user}: {answer}");
                assert!(is_admitted || !answer.contains(ECHO), "{path}, user {user}: {answer}");
            }
        }
    }
}
