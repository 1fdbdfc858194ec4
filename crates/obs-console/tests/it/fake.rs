//! A source with fixed data.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use obs_console::api::{
    Doctor, DoctorSummary, Families, LogLine, LogLines, LogQuery, Node, Overview, Peers, Problems, Series,
    SeriesQuery, Severity, TailLines, TraceDetail, TraceQuery, TraceSummary, Traces, Window,
};
use obs_console::{Failure, Source, Tail};
use serde_json::json;

/// Source that notes what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) asked: Mutex<Vec<String>>,
    /// Lines that a tail finds at each reading.
    pub(crate) lines: AtomicU64,
    /// Whether the node stops.
    pub(crate) stops: AtomicBool,
    /// Open tails.
    pub(crate) tails: std::sync::Arc<AtomicU64>,
}

impl Fake {
    fn note(&self, call: String) {
        self.asked.lock().unwrap().push(call);
    }
}

pub(crate) fn line(n: u64) -> LogLine {
    let line = json!({ "ts": "2026-01-31T12:00:00.000Z", "level": "info", "logger": "a", "msg": "</script>\n", "n": n });
    line.as_object().unwrap().clone()
}

impl Source for Fake {
    fn overview(&self, window: &Window) -> Result<Overview, Failure> {
        self.note(format!("overview {}", window.until - window.since));
        let node = Node {
            id: "node".to_owned(),
            name: "name".to_owned(),
            version: "1".to_owned(),
            started_at: "2026-01-31T12:00:00Z".to_owned(),
            uptime_seconds: 1,
        };
        Ok(Overview {
            node,
            now: "2026-01-31T12:00:00Z".to_owned(),
            severity: Severity::Well,
            remarks: Vec::new(),
            window: *window,
            step_seconds: 60,
            capabilities: Vec::new(),
            gauges: Vec::new(),
            runs: Vec::new(),
            problems_open: 0,
            history_missing: None,
        })
    }

    fn series(&self, query: &SeriesQuery) -> Result<Series, Failure> {
        self.note(format!("series {} {:?}", query.family, query.labels));
        Ok(Series { window: query.window, step_seconds: 60, points: Vec::new() })
    }

    fn traces(&self, query: &TraceQuery) -> Result<Traces, Failure> {
        self.note(format!("{query:?}"));
        let trace = TraceSummary {
            trace_id: "01J0000000000000000000000".to_owned(),
            capability: "llm.chat".to_owned(),
            started_at: "2026-01-31T12:00:00Z".to_owned(),
            duration_ms: 1.5,
            status: "ok".to_owned(),
            spans: 1,
            cause: None,
            before_restart: false,
        };
        Ok(Traces { traces: vec![trace; query.n], kept: query.n as u64, oldest: None })
    }

    fn trace(&self, id: &str, peers: bool) -> Result<TraceDetail, Failure> {
        self.note(format!("trace {id} {peers}"));
        Err(Failure::NotFound(format!("no trace {id}{}", "x".repeat(10_000))))
    }

    fn logs(&self, query: &LogQuery) -> Result<LogLines, Failure> {
        self.note(format!("{query:?}"));
        if query.text.as_deref() == Some("panic") {
            panic!("on purpose");
        }
        Ok(LogLines {
            lines: (0..query.n as u64).map(line).collect(),
            counts: Vec::new(),
            step_seconds: 60,
            matched: query.n as u64,
            searched_since: None,
            oldest: None,
        })
    }

    fn tail(&self, query: &LogQuery) -> Result<Box<dyn Tail>, Failure> {
        self.note(format!("tail {:?}", query.level));
        self.tails.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FakeTail {
            each: self.lines.load(Ordering::SeqCst),
            written: 0,
            open: self.tails.clone(),
        }))
    }

    fn families(&self) -> Result<Families, Failure> {
        Ok(Families { families: Vec::new() })
    }

    fn doctor(&self, run: bool) -> Result<Doctor, Failure> {
        self.note(format!("doctor {run}"));
        let (summary, checks) = (DoctorSummary::default(), Vec::new());
        Ok(Doctor { ran_at: None, ok: true, summary, checks })
    }

    fn problems(&self) -> Result<Problems, Failure> {
        Ok(Problems { problems: Vec::new(), ungrouped: 0 })
    }

    fn mute(&self, problem: &str, until: Option<u64>) -> Result<(), Failure> {
        self.note(format!("mute {problem} {until:?}"));
        Ok(())
    }

    fn peers(&self) -> Result<Peers, Failure> {
        Err(Failure::Unavailable("not now".to_owned()))
    }
}

struct FakeTail {
    each: u64,
    written: u64,
    open: std::sync::Arc<AtomicU64>,
}

impl Tail for FakeTail {
    /// Returns more lines than were asked for, as a careless source could.
    fn read(&mut self, _: usize) -> Result<TailLines, Failure> {
        let lines = (self.written..self.written + self.each).map(line).collect();
        self.written += self.each;
        Ok(TailLines { lines, skipped: 0, filtered: 0, written: self.written })
    }
}

impl Drop for FakeTail {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}
