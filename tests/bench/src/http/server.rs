//! A running server, as its client sees it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::Stack;
use crate::harness::Scale;
use crate::harness::child::Job;

/// Task of a server's process.
pub(super) const SERVE: &str = "serve";

/// Process of a server. It ends when this is dropped.
pub(super) struct Server {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    pub(super) fn start<S: Stack>(folder: &Path, collector: &str) -> io::Result<Server> {
        let job = Job {
            area: "http".to_owned(),
            contender: S::NAME.to_owned(),
            task: SERVE.to_owned(),
            scale: Scale::Full,
        };
        let mut process = job.command()?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut orders = process.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut answers = BufReader::new(process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        writeln!(orders, "{}\n{collector}", folder.display())?;
        let address = answer(&mut answers)?.parse().map_err(io::Error::other)?;
        Ok(Server { process, orders: Some(orders), answers, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the server has written and sent everything. Returns the seconds of processor time that it has taken so far.
    pub(super) fn settle(&mut self) -> io::Result<f64> {
        writeln!(self.orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?, "settle")?;
        answer(&mut self.answers)?.parse().map_err(io::Error::other)
    }

    /// Returns the bytes of memory that the server takes.
    pub(super) fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes << 10).ok_or_else(|| io::Error::other("no line VmRSS"))
    }
}

fn answer(answers: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match answers.read_line(&mut line)? {
        0 => Err(io::Error::other("the server has ended")),
        _ => Ok(line.trim_end().to_owned()),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.process.wait();
    }
}
