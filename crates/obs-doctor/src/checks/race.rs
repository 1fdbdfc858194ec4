//! Several slow requests at the same time.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Asks each of `questions` on a thread of its own. Returns the answers that arrive within `patience`, in that order, with
/// the positions of their questions. Stops early once `enough` returns true.
///
/// A thread that does not return, such as one that waits for a dead name server, is abandoned.
pub(super) fn race<Q, A>(
    questions: impl IntoIterator<Item = Q>,
    patience: Duration,
    ask: impl Fn(Q) -> A + Clone + Send + 'static,
    enough: impl Fn(&[(usize, A)]) -> bool,
) -> Vec<(usize, A)>
where
    Q: Send + 'static,
    A: Send + 'static,
{
    let until = Instant::now() + patience;
    let (sender, answers) = channel();
    for (at, question) in questions.into_iter().enumerate() {
        let (sender, ask) = (sender.clone(), ask.clone());
        // If no thread can be started, the answer is missing, as after a timeout.
        let _ = thread::Builder::new().name("doctor:ask".to_owned()).spawn(move || {
            let _ = sender.send((at, ask(question)));
        });
    }
    drop(sender);
    let mut got = Vec::new();
    while !enough(&got) {
        match answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(answer) => got.push(answer),
            Err(_) => break,
        }
    }
    got
}
