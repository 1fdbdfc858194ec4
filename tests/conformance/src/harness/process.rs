//! Runs programs to their end, with a deadline.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::case::{Outcome, failed};

/// Exit code and output of a program.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Absent when a signal ended the program.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Command line as a person types it.
    pub(crate) shown: String,
}

impl Ran {
    /// Fails unless the program ended with this exit code.
    pub(crate) fn exits(self, code: i32) -> Outcome<Self> {
        if self.code == Some(code) {
            return Ok(self);
        }
        let ended = self.code.map_or("ended by a signal".to_owned(), |code| format!("exit code {code}"));
        let observed =
            format!("{ended}\nstdout: {}\nstderr: {}", self.stdout.trim_end(), self.stderr.trim_end());
        Err(failed(format!("{} ends with exit code {code}", self.shown), observed))
    }

    /// Returns both outputs, for a message that may be on either.
    pub(crate) fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a program to its end. Kills it and fails at the deadline.
pub(crate) fn run(command: &mut Command, input: &[u8], deadline: Duration) -> Outcome<Ran> {
    let shown = shown(command);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let feeding = feed(&mut child, input.to_vec());
    let status = wait(&mut child, deadline);
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    // A program may end without reading its input.
    let _ = feeding.join();
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    let Some(status) = status else {
        let expected = format!("{shown} ends within {deadline:?}");
        return Err(failed(expected, format!("still running\nstdout: {stdout}\nstderr: {stderr}")));
    };
    Ok(Ran { code: status.code(), stdout, stderr, shown })
}

/// Waits for a child's end. Returns `None` when the deadline passes first.
pub(crate) fn wait(child: &mut Child, deadline: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + deadline;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}

fn drain(source: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut source) = source {
            // The output before an error is still worth showing.
            let _ = source.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn feed(child: &mut Child, input: Vec<u8>) -> JoinHandle<()> {
    let sink = child.stdin.take();
    std::thread::spawn(move || {
        if let Some(mut sink) = sink {
            let _ = std::io::Write::write_all(&mut sink, &input);
        }
    })
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
