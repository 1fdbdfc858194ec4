//! Several slow questions at the same time.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Asks each of `questions` on a thread of its own and returns the answers that came within `patience`, with their
/// positions, in the order they came; stops early once `enough` says so.
///
/// A thread that does not come back (a name server that never answers) is left behind.
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
        // Without a thread there is no answer to this question, which the caller can see.
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
