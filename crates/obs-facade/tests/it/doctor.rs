//! `GET /doctor` and the doctor on a timer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use obs_facade::doctor::{Check, CheckResult, Config, Doctor, NoBus};
use obs_facade::http::Checkup;
use obs_facade::testing::Capture;
use serde_json::Value;
use tower::ServiceExt;

/// Creates a checkup with one check, which counts its runs and returns `verdict` of that count.
fn checkup(verdict: impl Fn(usize) -> CheckResult + Send + Sync + 'static) -> (Checkup, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let mut doctor = Doctor::empty();
    let check = Check::new("own").run_blocking(move |_| verdict(count.fetch_add(1, Ordering::SeqCst)));
    doctor.register(check).unwrap();
    (Checkup::new(Config::new("/nosuch"), Arc::new(NoBus)).doctor(doctor), runs)
}

async fn get(checkup: &Checkup, caller: Option<&str>) -> (StatusCode, http::HeaderMap, Value) {
    let mut request = Request::get("/doctor").body(Body::empty()).unwrap();
    if let Some(address) = caller {
        request.extensions_mut().insert(ConnectInfo(address.parse::<SocketAddr>().unwrap()));
    }
    let response = checkup.router().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, serde_json::from_slice(&body).unwrap())
}

const HERE: Option<&str> = Some("127.0.0.1:50000");
const ELSEWHERE: Option<&str> = Some("192.0.2.7:50000");

#[tokio::test]
async fn local_callers_get_the_report_as_json() {
    let (checkup, runs) = checkup(|_| CheckResult::fail("is down").fix("wait"));
    let (status, headers, report) = get(&checkup, HERE).await;
    assert_eq!(
        (status, &headers[header::CONTENT_TYPE]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    assert_eq!(
        (&headers[header::AGE], &headers[header::CACHE_CONTROL]),
        (&"0".parse().unwrap(), &"no-store".parse().unwrap())
    );
    assert_eq!((&report["schema"], &report["ok"]), (&1.into(), &false.into()));
    assert_eq!(report["checks"][0]["fix"], "wait");

    for caller in [ELSEWHERE, None] {
        let (status, _, refusal) = get(&checkup, caller).await;
        assert_eq!((status, &refusal["error"]), (StatusCode::FORBIDDEN, &"forbidden".into()));
        assert!(refusal["message"].as_str().unwrap().contains("doctor_remote"), "{refusal}");
    }
    assert_eq!(get(&checkup.clone().remote(true), ELSEWHERE).await.0, StatusCode::OK);
    assert_eq!(runs.load(Ordering::SeqCst), 1, "all within 10 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_callers_share_one_run() {
    let (checkup, runs) = checkup(|_| {
        std::thread::sleep(Duration::from_millis(100));
        CheckResult::pass("well")
    });
    let callers: Vec<_> = (0..50)
        .map(|_| {
            tokio::spawn({
                let checkup = checkup.clone();
                async move { get(&checkup, HERE).await.0 }
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

/// Creates a checkup whose check waits for the sender, and fails after a second without it.
fn held() -> (Checkup, Arc<AtomicUsize>, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let (checkup, runs) = checkup(move |_| match wait.lock().unwrap().recv_timeout(Duration::from_secs(1)) {
        Ok(()) => CheckResult::pass("well"),
        Err(_) => CheckResult::fail("the runtime stood still").fix("do not block it"),
    });
    (checkup, runs, go)
}

#[tokio::test]
async fn callers_that_disconnect_start_no_second_run() {
    let (checkup, runs, go) = held();
    for _ in 0..20 {
        let gone = tokio::time::timeout(Duration::from_millis(1), get(&checkup, HERE)).await;
        assert!(gone.is_err());
    }
    go.send(()).unwrap();
    assert_eq!(get(&checkup, HERE).await.0, StatusCode::OK);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

/// The runtime of this test has a single thread.
#[tokio::test]
async fn a_blocked_check_does_not_block_the_runtime() {
    let (checkup, runs, go) = held();
    let asked = tokio::spawn(async move { checkup.report().await });
    while runs.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    let report = asked.await.unwrap().unwrap();
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test]
async fn watch_sets_metrics_and_logs_failures() {
    let obs = Capture::new();
    let (checkup, _) = checkup(|_| CheckResult::fail("is down").fix("wait"));
    let value = |name| obs.metrics().value(name, [("check", "own")]);
    let looked = async {
        while obs.metrics().value("hearthnet_doctor_runs_total", []) < 1.0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        // In this order: a family can be read once the watch has begun.
        biased;
        () = obs.scope(checkup.watch(Duration::from_secs(60))) => panic!("it ended by itself"),
        () = looked => {}
    }
    assert_eq!(value("hearthnet_doctor_check_ok"), 0.0);
    assert!(value("hearthnet_doctor_check_duration_seconds") > 0.0);
    obs.logs().single("check fails").field("check", "own").field("fix", "wait").field("level", "warning");
}
