//! 1 000 calls of mixed outcome on a node of its own, with the node's records of them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use ulid::Ulid;

use crate::case::{Outcome, equal, failed};
use crate::harness::exposition::{Format, Page};
use crate::harness::home::Home;
use crate::harness::http::{Answer, Client, REQUEST_ID};
use crate::harness::log_line::Line;
use crate::harness::node::Node;
use crate::harness::{Lab, wait};

pub(crate) const CALLS: usize = 1_000;
const CALLERS: usize = 4;

/// A call: its trace ID, capability and expected result.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) capability: &'static str,
    pub(crate) result: &'static str,
}

/// Records of the node.
pub(crate) struct Mixed {
    pub(crate) calls: Vec<Call>,
    /// `/metrics` after the last call.
    pub(crate) page: Page,
    /// `/trace/recent?n=2000` after the last call.
    pub(crate) traces: Vec<Value>,
    /// Lines of the day files after the node has ended.
    pub(crate) lines: Vec<Line>,
    /// Folders of the node.
    pub(crate) home: Arc<Home>,
}

impl Mixed {
    /// Returns the records. The first use makes the calls.
    pub(crate) fn of(lab: &Lab) -> Outcome<&'static Self> {
        static MIXED: OnceLock<Outcome<Mixed>> = OnceLock::new();
        MIXED.get_or_init(|| Self::make(lab)).as_ref().map_err(Clone::clone)
    }

    fn make(lab: &Lab) -> Outcome<Self> {
        let home = Home::initialised(lab)?;
        home.without_rate_limit()?;
        let node = Node::start(home)?;
        let calls = call_from_all_sides(&node.client())?;

        // The caller sees the end of a streamed body before the node does.
        let client = node.client();
        let traces = || -> Outcome<Vec<Value>> {
            let answer = client.get("/trace/recent?n=2000")?.is(200)?.json()?;
            Ok(answer["traces"].as_array().cloned().unwrap_or_default())
        };
        wait::until(Duration::from_secs(2), || traces().is_ok_and(|traces| traces.len() >= CALLS));
        let traces = traces()?;
        let page = Page::parse(&client.get("/metrics")?.is(200)?.text(), Format::Text)
            .map_err(|fault| failed("a well-formed page", fault))?;
        let home = node.stop()?;
        let lines = home.log_lines()?;
        Ok(Self { calls, page, traces, lines, home })
    }

    /// Counts the calls by capability and result.
    pub(crate) fn expected(&self) -> BTreeMap<(String, String), u64> {
        let mut counts = BTreeMap::new();
        for call in &self.calls {
            *counts.entry((call.capability.to_owned(), call.result.to_owned())).or_default() += 1;
        }
        counts
    }
}

/// Makes the calls from several threads.
fn call_from_all_sides(client: &Client) -> Outcome<Vec<Call>> {
    let share = |caller: usize| {
        let client = client.clone();
        move || {
            (0..CALLS)
                .filter(|call| call % CALLERS == caller)
                .map(|call| make(&client, call))
                .collect::<Outcome<Vec<_>>>()
        }
    };
    let threads: Vec<_> = (0..CALLERS).map(|caller| std::thread::spawn(share(caller))).collect();
    let mut calls = Vec::new();
    for thread in threads {
        calls.extend(thread.join().map_err(|_| failed("callers that end", "a panic"))??);
    }
    Ok(calls)
}

const ECHO: &str = "experimental.echo";
pub(crate) const NOBODY: &str = "experimental.nobody.offers.this";
const CODES: [(&str, u16); 5] = [
    ("timeout", 408),
    ("capacity_exceeded", 429),
    ("internal_error", 500),
    ("revoked", 403),
    ("partition", 503),
];

/// Makes the call of this number and checks its answer.
fn make(client: &Client, number: usize) -> Outcome<Call> {
    let id = Ulid::generate().to_string();
    let send = |capability: &str, body: &[u8]| client.call(capability, body, &[(REQUEST_ID, &id)]);
    let echo = |input: Value| send(ECHO, json!({"params": {}, "input": input}).to_string().as_bytes());
    let (code, status) = CODES[number / 10 % CODES.len()];
    let (answer, capability, result) = match number % 10 {
        0..=3 => (echo(json!({"text": "hello"}))?.is(200)?, ECHO, "ok"),
        4 => (echo(json!({"text": "later", "delay_ms": 2}))?.is(200)?, ECHO, "ok"),
        5 => (echo(json!({"text": "no", "fail": code}))?.refuses(status, code)?, ECHO, code),
        6 => (send(NOBODY, br#"{"params":{},"input":{}}"#)?.refuses(404, "not_found")?, NOBODY, "not_found"),
        7 => (send(ECHO, b"{\"params\":")?.refuses(400, "bad_request")?, ECHO, "bad_request"),
        8 => (ends_in(echo(json!({"text": "a", "frames": 3}))?, "done")?, ECHO, "ok"),
        _ => (ends_in(echo(json!({"text": "a", "frames": 2, "fail": code}))?, "error")?, ECHO, code),
    };
    equal("the request ID comes back", answer.header(REQUEST_ID)?, id.as_str())
        .map_err(|stop| answer.shown(stop))?;
    Ok(Call { id, capability, result })
}

fn ends_in(answer: Answer, last: &str) -> Outcome<Answer> {
    let answer = answer.is(200)?;
    let names: Vec<_> = answer.events().into_iter().map(|(name, _)| name).collect();
    equal("the last frame", names.last().map(String::as_str), Some(last))
        .map_err(|stop| answer.shown(stop))?;
    Ok(answer)
}
