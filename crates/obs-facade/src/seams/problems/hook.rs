//! Hook for new problems: a command, a request, or both.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use obs_doctor::machine::{HttpRequest, Machine};
use obs_history::problems::{News, Problem};
use obs_log::{Logger, info, warn};
use serde::Serialize;

use super::process::{PROBLEMS, now_ms};

static LOG: Logger = Logger::new(NAME);
/// Logger of the hook. A problem of its lines is shown, but not passed to the hook.
const NAME: &str = "hearthnet.problems";

/// Minimum time between two messages.
const PAUSE: Duration = Duration::from_secs(60);
/// Maximum time for the command, and for the request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two looks at the command.
const LOOK: Duration = Duration::from_millis(20);
/// Maximum number of problems in a message. Such a message has 30 kB at most.
const MAX_PROBLEMS: usize = 16;
/// Maximum length of an answer to the request. Nothing in it is read.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Version of the message. It goes up when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

static TOLD: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Numbers of new problems by what became of them.
pub(super) struct Stats {
    pub(super) told: u64,
    pub(super) failed: u64,
    pub(super) left_out: u64,
}

pub(super) fn stats() -> Stats {
    // Relaxed: each is a number of its own.
    Stats { told: TOLD.load(Relaxed), failed: FAILED.load(Relaxed), left_out: LEFT_OUT.load(Relaxed) }
}

/// Settings of the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    /// Program and arguments; empty for none.
    pub(crate) command: Vec<String>,
    pub(crate) webhook: Option<String>,
    /// Name of this node in the message.
    pub(crate) node: String,
}

/// Passes new problems to the hook, at most once a minute.
pub(super) struct Teller {
    hook: Option<Hook>,
    waiting: Vec<Problem>,
    /// Number of further problems that wait.
    more: u64,
    told_at: Option<Instant>,
    is_failing: bool,
}

/// The message.
#[derive(Serialize)]
struct Message<'a> {
    format: u32,
    node: &'a str,
    at_ms: u64,
    problems: &'a [Problem],
    /// Number of new problems that are left out.
    more: u64,
}

impl Teller {
    pub(super) fn new(hook: Option<Hook>) -> Teller {
        Teller { hook, waiting: Vec::new(), more: 0, told_at: None, is_failing: false }
    }

    /// Passes what is new to the hook, unless it is too early. Returns the time after which something waits to be passed.
    /// `is_over` cuts the wait for the hook short.
    pub(super) fn tell(&mut self, is_over: &dyn Fn() -> bool) -> Option<Duration> {
        // Taken without a hook too, so that a later one is told of later problems.
        self.pass(PROBLEMS.take_news(), is_over)
    }

    fn pass(&mut self, news: News, is_over: &dyn Fn() -> bool) -> Option<Duration> {
        let hook = self.hook.as_ref()?;
        let problems = news.problems.into_iter().filter(|problem| problem.cause.place() != NAME);
        for problem in problems {
            if self.waiting.len() < MAX_PROBLEMS {
                self.waiting.push(problem);
            } else {
                self.more += 1;
            }
        }
        self.more += news.more;
        if self.waiting.is_empty() {
            return None;
        }
        if let Some(at) = self.told_at
            && at.elapsed() < PAUSE
        {
            return Some(PAUSE.saturating_sub(at.elapsed()));
        }
        let message = Message {
            format: FORMAT,
            node: &hook.node,
            at_ms: now_ms(),
            problems: &self.waiting,
            more: self.more,
        };
        let told = hook.send(&serde_json::to_vec(&message).unwrap_or_default(), is_over);
        let number = self.waiting.len() as u64;
        if told.is_ok() { &TOLD } else { &FAILED }.fetch_add(number, Relaxed);
        LEFT_OUT.fetch_add(self.more, Relaxed);
        self.waiting.clear();
        self.more = 0;
        self.told_at = Some(Instant::now());
        self.note(told);
        None
    }

    /// Logs the beginning and the end of a fault, each once.
    fn note(&mut self, told: Result<(), String>) {
        match told {
            Ok(()) if std::mem::take(&mut self.is_failing) => info!(logger: LOG, "the hook works again"),
            Ok(()) => {}
            Err(error) if !std::mem::replace(&mut self.is_failing, true) => {
                warn!(logger: LOG, error = error; "the hook for new problems failed");
            }
            Err(_) => {}
        }
    }
}

impl Hook {
    fn send(&self, message: &[u8], is_over: &dyn Fn() -> bool) -> Result<(), String> {
        let run = run(&self.command, message, is_over);
        let posted = self.webhook.as_ref().map_or(Ok(()), |url| post(url, message));
        run.and(posted)
    }
}

/// Runs the command with the message on its standard input. No shell is in between.
fn run(command: &[String], message: &[u8], is_over: &dyn Fn() -> bool) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("`{program}` cannot be run: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let message = message.to_owned();
        // On a thread of its own: a command that does not read would block it. The end of the command ends it.
        let write = move || drop(stdin.write_all(&message));
        if let Err(error) = thread::Builder::new().name("obs-problems-hook".to_owned()).spawn(write) {
            stop(child);
            return Err(format!("no thread can be started: {error}"));
        }
    }
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("`{program}` ended with {status}")),
            Ok(None) if is_over() => {
                stop(child);
                return Err(format!("`{program}` was killed, because the process ends"));
            }
            Ok(None) if begun.elapsed() >= PATIENCE => {
                stop(child);
                let seconds = PATIENCE.as_secs();
                return Err(format!("`{program}` did not end within {seconds} s and was killed"));
            }
            Ok(None) => thread::sleep(LOOK),
            Err(error) => return Err(format!("`{program}` cannot be waited for: {error}")),
        }
    }
}

fn stop(mut child: Child) {
    let _ = child.kill();
    // A process that waits for a disk does not end at once, and without a wait it stays as a zombie.
    let _ = thread::Builder::new().name("obs-problems-hook".to_owned()).spawn(move || child.wait());
}

fn post(url: &str, message: &[u8]) -> Result<(), String> {
    let request = HttpRequest::post(url, message).timeout(PATIENCE).max_body_bytes(MAX_ANSWER_BYTES);
    match Machine::default().http.send(&request) {
        Ok(response) if (200..300).contains(&response.status) => Ok(()),
        Ok(response) => Err(format!("the webhook answered {}", response.status)),
        Err(error) => Err(format!("the webhook cannot be reached: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).into()
    }

    #[test]
    fn a_command_gets_the_message_and_its_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("message");
        let message = br#"{"problems":["$(rm -rf /); `x`"]}"#;
        run(&sh(&format!("cat > {}", path.display())), message, &|| false).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), message);
        let failed = |command: &[String]| run(command, message, &|| false).unwrap_err();
        assert!(failed(&sh("exit 3")).contains("exit status: 3"));
        assert!(failed(&["/nosuch; echo".to_owned()]).contains("`/nosuch; echo` cannot be run"));
        assert!(run(&[], message, &|| false).is_ok());
    }

    /// Returns the news of one problem.
    fn news_of(message: &str) -> News {
        let problems = obs_history::problems::Problems::new();
        let occurrence = obs_history::problems::Occurrence {
            at_ms: 1_779_783_262_281,
            count: 1,
            is_error: true,
            example: &message,
            trace_id: None,
        };
        problems.observe_line("hearthnet.bus", message, None, &occurrence);
        problems.take_news()
    }

    fn teller(command: Vec<String>) -> Teller {
        Teller::new(Some(Hook { command, webhook: None, node: "ada".to_owned() }))
    }

    #[test]
    fn there_is_at_most_one_message_a_minute_and_it_has_all_that_waited() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages");
        let mut teller = teller(sh(&format!("cat >> {0}; echo >> {0}", path.display())));
        let mut pass = |news: News| teller.pass(news, &|| false);
        let messages = || -> Vec<serde_json::Value> {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert_eq!(pass(News::default()), None);
        assert!(messages().is_empty(), "nothing is new");
        assert_eq!(pass(news_of("first")), None, "the first is told at once");
        assert_eq!(
            (messages().len(), &messages()[0]["node"], &messages()[0]["more"]),
            (1, &"ada".into(), &0.into())
        );
        for at in 0..u64::try_from(MAX_PROBLEMS).unwrap() + 3 {
            let letter = char::from(b'a' + u8::try_from(at).unwrap());
            let wait = pass(news_of(&format!("further {letter}")));
            assert!(wait.is_some_and(|wait| wait <= PAUSE), "{wait:?}");
        }
        assert_eq!(messages().len(), 1, "a minute is not over");
        // The minute is over.
        teller.told_at = Instant::now().checked_sub(PAUSE);
        assert_eq!(teller.pass(News::default(), &|| false), None);
        let second = &messages()[1];
        assert_eq!(
            (second["problems"].as_array().unwrap().len(), &second["more"]),
            (MAX_PROBLEMS, &3.into())
        );
        assert!(teller.pass(news_of("again"), &|| false).is_some(), "the next minute has begun");
    }

    #[test]
    fn hostile_text_is_data_of_the_message_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("message");
        let out = path.display();
        // A command that hands its standard input on, and one whose arguments are what a person wrote.
        let mut teller =
            teller(sh(&format!("cat > {out}; printf '%s' \"$#\" > {out}.arguments; env > {out}.env")));
        let trap = folder.path().join("trap").display().to_string();
        let hostile = format!(
            "\"; touch {trap}; $(touch {trap}) `touch {trap}` \n& touch {trap} \u{1b}[2J -rf ${{IFS}}"
        );
        teller.pass(news_of(&hostile), &|| false);
        let message: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert!(message["problems"][0]["example"].as_str().unwrap().contains("$(touch"), "{message}");
        assert!(!std::fs::exists(&trap).unwrap());
        assert_eq!(
            std::fs::read_to_string(format!("{out}.arguments")).unwrap(),
            "0",
            "no text is an argument"
        );
        assert!(!std::fs::read_to_string(format!("{out}.env")).unwrap().contains("touch"), "nor a variable");
    }

    #[test]
    fn a_hook_that_fails_is_said_once_and_its_own_line_is_not_told() {
        let mut teller = teller(sh("exit 3"));
        for _ in 0..3 {
            teller.told_at = None;
            assert_eq!(teller.pass(news_of("any"), &|| false), None);
            assert!(teller.is_failing && teller.waiting.is_empty(), "it waits for no second attempt");
        }
        let problems = obs_history::problems::Problems::new();
        let example = "the hook for new problems failed";
        let occurrence = obs_history::problems::Occurrence {
            at_ms: 1,
            count: 1,
            is_error: false,
            example: &example,
            trace_id: None,
        };
        problems.observe_line(NAME, example, None, &occurrence);
        teller.told_at = None;
        teller.pass(problems.take_news(), &|| false);
        assert_eq!(teller.told_at, None, "a message about itself would have no end");
        assert_eq!(
            Teller::new(None).pass(news_of("any"), &|| panic!("nothing runs")),
            None,
            "off by default"
        );
    }

    #[test]
    fn a_command_that_hangs_or_does_not_read_does_not_hold_the_end() {
        let big = vec![b'x'; 1 << 20];
        assert!(run(&sh("exec sleep 1000"), &big, &|| true).unwrap_err().contains("killed"));
        assert!(run(&sh("exit 0"), &big, &|| false).is_ok());
    }

    #[test]
    fn a_webhook_gets_a_post_with_the_message() {
        use std::io::{BufRead as _, BufReader, Read as _};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).unwrap() > 2 {}
            let mut body = [0; 2];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            (head, body)
        });
        post(&url, b"{}").unwrap();
        let (head, body) = server.join().unwrap();
        assert!(head.starts_with("POST /hook HTTP/1.1") && head.contains("application/json"), "{head}");
        assert_eq!(&body, b"{}");
        assert!(post(&url, b"{}").unwrap_err().contains("connection refused"));
    }
}
