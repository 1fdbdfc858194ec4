//! `GET /metrics` is rendered off the runtime, once for all scrapers that wait, and sent in parts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::thread::{self, ThreadId};

use axum::body::Body;
use axum::routing::Router;
use http::{Request, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use obs_facade::http::router;
use tower::ServiceExt;

use crate::routes::Node;

/// Number of renders in progress.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// Number of renders that overlapped another one.
static MET: AtomicUsize = AtomicUsize::new(0);
/// Number of finished renders.
static RENDERS: AtomicUsize = AtomicUsize::new(0);
/// Thread that runs the test, and whether it has rendered.
static RUNTIME: Mutex<Option<ThreadId>> = Mutex::new(None);
static ON_RUNTIME: AtomicBool = AtomicBool::new(false);

static HELD: Mutex<bool> = Mutex::new(false);
static RELEASED: Condvar = Condvar::new();

/// Collector that blocks a render while the test holds it.
fn slow(samples: &mut obs_facade::metrics::Samples<0>) {
    if INSIDE.fetch_add(1, SeqCst) > 0 {
        MET.fetch_add(1, SeqCst);
    }
    if *RUNTIME.lock().unwrap() == Some(thread::current().id()) {
        ON_RUNTIME.store(true, SeqCst);
    } else {
        let held = HELD.lock().unwrap();
        drop(RELEASED.wait_while(held, |held| *held).unwrap());
    }
    samples.push([], 1.0);
    RENDERS.fetch_add(1, SeqCst);
    INSIDE.fetch_sub(1, SeqCst);
}

async fn get(router: Router, path: &str) -> StatusCode {
    router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
}

/// While a render hangs, the runtime's only thread answers other requests. Scrapers that come meanwhile share the next
/// page and take no threads.
#[tokio::test]
async fn rendering_never_blocks_the_runtime() {
    *RUNTIME.lock().unwrap() = Some(thread::current().id());
    *HELD.lock().unwrap() = true;
    let kind = obs_facade::metrics::Kind::Gauge;
    obs_facade::metrics::collect_with(kind, "slow_to_read", "Takes its time.", [], slow).unwrap();

    let router = router(std::sync::Arc::new(Node::default()));
    let first = tokio::spawn(get(router.clone(), "/metrics"));
    while INSIDE.load(SeqCst) == 0 && !ON_RUNTIME.load(SeqCst) {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        assert_eq!(get(router.clone(), "/health").await, StatusCode::OK);
    }
    let later: Vec<_> = (0..100).map(|_| tokio::spawn(get(router.clone(), "/metrics"))).collect();
    // Gives each scrape the time to be polled once, after which it waits.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    *HELD.lock().unwrap() = false;
    RELEASED.notify_all();
    for scrape in later.into_iter().chain([first]) {
        assert_eq!(scrape.await.unwrap(), StatusCode::OK);
    }
    assert!(!ON_RUNTIME.load(SeqCst), "rendered on the runtime's thread");
    assert_eq!(MET.load(SeqCst), 0, "two pages were made at once");
    // One render for the first scrape, one for all later scrapes, and those of other tests.
    assert!(RENDERS.load(SeqCst) < 20, "{} renders for 101 scrapers", RENDERS.load(SeqCst));
}

/// A server writes what a body gives in one poll at once, and the worker does nothing else meanwhile.
#[tokio::test]
async fn a_large_page_is_sent_in_parts() {
    let family = obs_facade::metrics::gauge("wide", "Wide rows.", ["first", "second", "third"]);
    let filler = "x".repeat(120);
    (0..250).for_each(|row| family.set([&format!("{row}"), &filler, &filler], 1.0));

    let router = router(std::sync::Arc::new(Node::default()));
    let answer = router.oneshot(Request::get("/metrics").body(Body::empty()).unwrap()).await.unwrap();
    let (mut body, mut parts) = (answer.into_body(), Vec::new());
    let length = body.size_hint().exact().expect("the length is known before the first part");
    while let Some(frame) = body.frame().await {
        parts.push(frame.unwrap().into_data().unwrap().len());
    }
    assert_eq!(parts.iter().sum::<usize>() as u64, length);
    assert!(length > 65_536, "the page is too small for this test");
    assert!(parts.iter().all(|part| *part <= 65_536), "{parts:?}");
}
