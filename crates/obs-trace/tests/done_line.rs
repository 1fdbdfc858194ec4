//! The line `done`. Alone in its binary, because it installs the logger of the process.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use log::kv::{Key, Value, VisitSource};
use obs_trace::new_trace;

static LINES: Mutex<Vec<serde_json::Value>> = Mutex::new(Vec::new());
static SHOULD_PANIC: AtomicBool = AtomicBool::new(false);

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        assert!(!SHOULD_PANIC.load(Ordering::Relaxed), "a logger that panics");
        // A logger may begin spans and read traces.
        obs_trace::in_span("logging", || obs_trace::get_recent(1));
        let mut line = Fields(serde_json::Map::new());
        line.0.insert("target".into(), record.target().into());
        line.0.insert("level".into(), record.level().as_str().into());
        line.0.insert("msg".into(), record.args().to_string().into());
        obs_trace::with_current_id(&mut |id| {
            line.0.insert("trace_id".into(), id.into());
        });
        record.key_values().visit(&mut line).unwrap();
        LINES.lock().unwrap().push(line.0.into());
    }

    fn flush(&self) {}
}

struct Fields(serde_json::Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        // A logger encodes any other key again for each line.
        assert!(key.to_static_str().is_some(), "{key}");
        self.0.insert(key.to_string(), serde_json::to_value(value).unwrap());
        Ok(())
    }
}

fn take_lines() -> Vec<serde_json::Value> {
    std::mem::take(&mut *LINES.lock().unwrap())
}

#[test]
fn every_end_logs_done_once_with_the_id_of_the_trace() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let hostile = "llm.\"chat\"\n\u{1b}[31m";

    let trace = new_trace(hostile);
    obs_trace::attach(trace.clone());
    obs_trace::in_span("forward", || ());
    trace.fail("timeout");
    obs_trace::detach();
    trace.finish();
    let lines = take_lines();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["target"], "hearthnet.trace");
    assert_eq!((&line["level"], &line["msg"]), (&"WARN".into(), &"done".into()));
    assert_eq!(line["trace_id"], trace.id().to_string());
    assert_eq!(line["capability"], hostile);
    assert_eq!(line["status"], "timeout");
    assert_eq!(line["spans"], 1);
    assert!(line["ms"].as_f64().unwrap() >= 0.0);

    let dropped = new_trace("dropped").id();
    let [line] = &take_lines()[..] else { panic!("one line") };
    assert_eq!((&line["trace_id"], &line["status"]), (&dropped.to_string().into(), &"cancelled".into()));
    assert_eq!(line["level"], "INFO");

    new_trace("answered").finish();
    let [line] = &take_lines()[..] else { panic!("one line") };
    assert_eq!((&line["level"], &line["status"]), (&"INFO".into(), &"ok".into()));

    let named = new_trace("named");
    named.set_done_field("verified", false);
    named.set_done_field("address", hostile.repeat(100));
    named.set_done_field("verified", true);
    let record = named.finish().unwrap();
    named.set_done_field("late", 1);
    let [line] = &take_lines()[..] else { panic!("one line") };
    assert_eq!((&line["verified"], &line["capability"]), (&true.into(), &"named".into()));
    assert_eq!(line["address"].as_str().unwrap().len(), 256, "bounded");
    assert!(!serde_json::to_string(&*record).unwrap().contains("verified"), "no record has the fields");

    let unwound = std::panic::catch_unwind(|| new_trace("unwinds").run(|| panic!("as asked")));
    assert!(unwound.is_err());
    let [line] = &take_lines()[..] else { panic!("one line") };
    assert_eq!((&line["level"], &line["status"]), (&"WARN".into(), &"panic".into()));

    // The line has the ID of the trace that ends, also while another trace is current.
    let (outer, inner) = (new_trace("outer"), new_trace("inner"));
    outer.enter(|| inner.finish());
    let [line] = &take_lines()[..] else { panic!("one line") };
    assert_eq!(line["trace_id"], inner.id().to_string());

    // A thread ends with an attached trace.
    let id = std::thread::spawn(|| {
        let trace = new_trace("thread");
        let id = trace.id();
        obs_trace::attach(trace);
        id
    })
    .join()
    .unwrap();
    let [line] = &take_lines()[..] else { panic!("one line") };
    assert_eq!((&line["trace_id"], &line["status"]), (&id.to_string().into(), &"cancelled".into()));

    // A panic in the logger does not reach the caller.
    SHOULD_PANIC.store(true, Ordering::Relaxed);
    assert!(new_trace("logger panics").finish().is_some());
    let unwound = std::panic::catch_unwind(|| {
        let _dropped_while_unwinding = new_trace("logger panics");
        panic!("as asked");
    });
    assert!(unwound.is_err());
    SHOULD_PANIC.store(false, Ordering::Relaxed);
    assert_eq!(obs_trace::get_recent(1)[0].status().as_str(), "panic");

    #[cfg(feature = "rt")]
    tasks_that_block_or_panic();

    log::set_max_level(log::LevelFilter::Off);
    new_trace("off").finish();
    drop(outer);
    assert!(take_lines().is_empty());
}

#[cfg(feature = "rt")]
fn tasks_that_block_or_panic() {
    const BLOCK: std::time::Duration = std::time::Duration::from_millis(30);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let run = |future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let trace = new_trace("task");
        let id = trace.id().to_string();
        runtime.block_on(runtime.spawn(trace.scope(obs_trace::span("step").wrap(future)))).unwrap();
        let lines = take_lines();
        assert!(
            lines.iter().all(|line| line["trace_id"] == id && line["target"] == "hearthnet.trace"),
            "{lines:?}"
        );
        lines
    };
    let blocks = || Box::pin(async { std::thread::sleep(BLOCK) });

    let [line, done] = &run(blocks())[..] else { panic!("two lines") };
    assert_eq!((&line["level"], &line["msg"]), (&"WARN".into(), &"a poll blocked its worker".into()));
    assert_eq!((&line["capability"], &line["span"]), (&"task".into(), &"step".into()));
    assert!(line["blocked_ms"].as_f64().unwrap() > 10.0 && line["suppressed"] == 0, "{line}");
    assert!(done["blocked_ms"].as_f64().unwrap() > 10.0, "{done}");

    // An observer takes the place of the line.
    static TOLD: Mutex<Vec<(String, &str)>> = Mutex::new(Vec::new());
    obs_trace::set_blocked_observer(|poll| {
        TOLD.lock().unwrap().push((poll.capability().to_owned(), poll.span()));
        assert!(poll.held().as_millis() > 10);
        panic!("an observer that panics");
    });
    assert_eq!(run(blocks()).len(), 1, "`done` alone");
    assert_eq!(*TOLD.lock().unwrap(), [("task".to_owned(), "step")]);

    let panics = Box::pin(async {
        obs_trace::spawn(async { panic!("as {}", "asked") }).await.unwrap_err();
    });
    let [line, done] = &run(panics)[..] else { panic!("two lines") };
    assert_eq!((&line["level"], &line["msg"]), (&"ERROR".into(), &"a task panicked".into()));
    assert_eq!((&line["panic"], &line["span"]), (&"as asked".into(), &"step".into()));
    assert_eq!(done["status"], "ok");
    assert!(done.get("blocked_ms").is_none(), "{done}");
}
