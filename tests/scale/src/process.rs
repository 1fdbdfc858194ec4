//! Child processes that end with their owner: their processor time and memory.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::Done;

/// Name of the thread that makes the calls of the nodes. Its time is no cost of a scrape.
pub(crate) const WORKER: &str = "calls";

/// Raises the number of descriptors to the hard limit: each node is a connection.
pub(crate) fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // A lower limit shows itself as failed scrapes.
    _ = setrlimit(Resource::Nofile, limit);
}

/// Process that is killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Done<Self> {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = started.map_err(|err| format!("{}: {err}", command.get_program().display()))?;
        Ok(Self(child))
    }

    /// Returns the processor time of the process so far.
    pub(crate) fn cpu(&self) -> Done<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let (_, rest) = stat.rsplit_once(") ").ok_or("no name in /proc/…/stat")?;
        // utime and stime are the fields 14 and 15, and the state, which comes next, is field 3. They have the threads that
        // have ended too.
        let times = rest.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks = times.sum::<Result<u64, _>>()?;
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// Returns the processor time of the threads with this name.
    pub(crate) fn cpu_of(&self, thread: &str) -> Done<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let task = task?.path();
            // A thread may end meanwhile.
            let (Ok(name), Ok(times)) =
                (fs::read_to_string(task.join("comm")), fs::read_to_string(task.join("schedstat")))
            else {
                continue;
            };
            if name.trim_end() == thread {
                // The first of three numbers is the time on a processor.
                nanos += times.split(' ').next().ok_or("no number in /proc/…/schedstat")?.parse::<u64>()?;
            }
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Returns the resident memory in bytes.
    pub(crate) fn resident(&self) -> Done<u64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.0.id()))?;
        let pages: u64 = statm.split(' ').nth(1).ok_or("no second number in /proc/…/statm")?.parse()?;
        Ok(pages * rustix::param::page_size() as u64)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Returns a port that no process listens at.
pub(crate) fn free_port() -> Done<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
