//! Answers of a running node.

use std::thread;
use std::time::{Duration, Instant};

use super::place::{
    ACTIVE, CONSOLE_PROBLEMS, FAILED, FAMILIES, METRICS, OVERVIEW, PEERS, Place, RECENT, SLOWEST, STATUS,
};
use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;

/// Number of traces in each list.
pub(super) const RECENT_TRACES: usize = 500;
pub(super) const FAILED_TRACES: usize = 200;
pub(super) const SLOWEST_TRACES: usize = 100;

/// Maximum length of an answer. 500 traces with many fields have less.
const MAX_BYTES: usize = 4 << 20;
/// Minimum time of an answer.
const MOMENT: Duration = Duration::from_millis(200);

struct Question {
    place: Place,
    route: &'static str,
    query: &'static [(&'static str, &'static str)],
}

const fn question(
    place: Place,
    route: &'static str,
    query: &'static [(&'static str, &'static str)],
) -> Question {
    Question { place, route, query }
}

const QUESTIONS: [Question; 10] = [
    question(STATUS, "/status", &[]),
    question(FAILED, "/trace/recent", &[("n", "200"), ("status", "failed"), ("span_ids", "true")]),
    question(SLOWEST, "/trace/recent", &[("n", "100"), ("sort", "slowest"), ("span_ids", "true")]),
    question(RECENT, "/trace/recent", &[("n", "500"), ("span_ids", "true")]),
    question(ACTIVE, "/trace/active", &[]),
    question(METRICS, "/metrics", &[]),
    question(OVERVIEW, "/console/api/v1/overview", &[("since", "24h")]),
    question(CONSOLE_PROBLEMS, "/console/api/v1/problems", &[]),
    question(FAMILIES, "/console/api/v1/metrics", &[]),
    question(PEERS, "/console/api/v1/peers", &[]),
];

/// Answers of the node.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) found: Vec<(Place, String)>,
    /// Files without an answer, and the reasons.
    pub(super) missing: Vec<(Place, String)>,
    /// Reason for which there is no answer at all.
    pub(super) unreached: Option<String>,
}

/// Asks the node until `deadline`.
pub(super) fn ask(node: &NodeUrl, deadline: Instant) -> Answers {
    let mut answers = Answers::default();
    let [first, rest @ ..] = &QUESTIONS;
    let first = first.ask(node, deadline);
    // A node that is not there does not come while its report is made.
    if let Err((why, true)) = first {
        answers.unreached = Some(why);
        return answers;
    }
    answers.add(&QUESTIONS[0], first);
    // Side by side: one answer that takes long leaves the time of the others to them.
    let rest: Vec<_> = thread::scope(|scope| {
        let asked = rest.iter().map(|question| (question, scope.spawn(|| question.ask(node, deadline))));
        let asked: Vec<_> = asked.collect();
        let joined = |(question, answer): (_, thread::ScopedJoinHandle<'_, _>)| {
            (question, answer.join().unwrap_or_else(|_| Err(("the question failed".to_owned(), false))))
        };
        asked.into_iter().map(joined).collect()
    });
    rest.into_iter().for_each(|(question, answer)| answers.add(question, answer));
    answers
}

/// Text of an answer. An error has its reason, and whether there was no answer at all.
type Asked = Result<String, (String, bool)>;

impl Question {
    fn ask(&self, node: &NodeUrl, deadline: Instant) -> Asked {
        // A moment even if the time is over: a node that works answers in it.
        let left = deadline.saturating_duration_since(Instant::now()).max(MOMENT);
        let bounds = Bounds { time: left, bytes: MAX_BYTES };
        match ask::get(&node.route(self.route, self.query), bounds) {
            Ok(answer) if answer.status == 200 => Ok(String::from_utf8_lossy(&answer.body).into_owned()),
            Ok(answer) => Err((format!("the server on {node} answered {}", answer.status), false)),
            Err(error) => Err((ask::no_answer(node, &error).to_string(), true)),
        }
    }
}

impl Answers {
    fn add(&mut self, question: &Question, answer: Asked) {
        match answer {
            Ok(text) => self.found.push((question.place, text)),
            Err((why, _)) => self.missing.push((question.place, why)),
        }
    }
}
