//! The doctor beside a node on the same machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::case::{Outcome, contains, ensure, equal, failed};
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::harness::{Lab, free_port, process, strict_json};

const STARTS: usize = 200;
/// Time after which no further node is started, so that a slow machine tries fewer starts.
const TIME: Duration = Duration::from_secs(15);
const FEWEST: usize = 10;

/// Nodes start and are killed while doctors run. Each node gets its port, and no doctor finds a fault.
pub(super) fn starts_beside_a_loop(lab: &Lab) -> Outcome {
    let (home, port) = (Home::initialised(lab)?, free_port());
    home.configure("transport", "port", i64::from(port))?;
    let mut command = home.command();
    command.args(["doctor", "--quiet", "--offline"]);
    let over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&over);
    let doctors = thread::spawn(move || -> Outcome<usize> {
        let mut runs = 0;
        while !stop.load(Ordering::Relaxed) {
            process::run(&mut command, b"", Duration::from_secs(30))?.exits(0)?;
            runs += 1;
        }
        Ok(runs)
    });
    let starts = start_again_and_again(home, port);
    over.store(true, Ordering::Relaxed);
    let runs = doctors.join().map_err(|_| failed("a doctor loop", "it panicked"))??;
    let (_home, starts) = starts?;
    ensure(starts >= FEWEST && runs > 0, "node starts and doctors at the same time", (starts, runs))
}

fn start_again_and_again(mut home: Home, port: u16) -> Outcome<(Home, usize)> {
    let begun = Instant::now();
    let mut starts = 0;
    while starts < STARTS && begun.elapsed() < TIME {
        let node = Node::start_on(home, port).map_err(|stop| stop.at(&format!("start {starts}")))?;
        home = Arc::into_inner(node.kill()).ok_or_else(|| failed("a home of one node", "of several"))?;
        starts += 1;
    }
    Ok((home, starts))
}

/// `GET /doctor` runs once for all requests within 10 s, has the command's verdicts, and refuses other machines.
pub(super) fn route(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let port = free_port();
    // A listener for both families sees 127.0.0.1 as ::ffff:127.0.0.1.
    home.configure("transport", "host", "::")?;
    home.configure("transport", "port", i64::from(port))?;
    home.configure("observability", "doctor_clock_anchors", toml::Value::Array(Vec::new()))?;
    let node = Node::start_on(home, port)?;
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let client = node.client();
            thread::spawn(move || client.get("/doctor"))
        })
        .collect();
    let mut reports = Vec::new();
    for asked in asking {
        let answer = asked.join().map_err(|_| failed("an answer", "a panic"))??;
        equal("the status", answer.status, 200)?;
        contains("the type", &format!("{:?}", answer.headers.get("content-type")), "application/json")?;
        reports
            .push(strict_json::parse(&String::from_utf8(answer.body)?).map_err(|err| failed("JSON", err))?);
    }
    ensure(reports.iter().all(|report| *report == reports[0]), "the same report for all", &reports)?;

    let outside = node.home().hearthnet(&["doctor", "--json"])?.exits(0)?;
    let outside = strict_json::parse(&outside.stdout).map_err(|err| failed("JSON", err))?;
    let verdicts = |report: &Value| -> Vec<(Value, Value)> {
        let checks = report["checks"].as_array().into_iter().flatten();
        checks.map(|check| (check["name"].clone(), check["status"].clone())).collect()
    };
    equal("the verdicts from inside", verdicts(&reports[0]), verdicts(&outside))?;

    for (name, value) in
        [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1"), ("host", "evil.example")]
    {
        equal(name, node.client().get_with("/doctor", &[(name, value)])?.status, 403)?;
    }
    Ok(())
}
