//! Faults of the running node, of its language models, and of checks themselves.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use obs_doctor::machine::HttpError;
use obs_doctor::{BusError, CapabilityBus, Check, CheckResult, Doctor, Limits, LlmBackend, Outcome};

use super::table::Table;
use crate::child;
use crate::home::{Home, free_port};
use crate::node::Node;
use crate::web::{serve, web};

pub(super) fn at_least_one_capability(table: &mut Table) {
    let home = Home::empty();
    let node = |capabilities| Node { capabilities, outcomes: Vec::new() };
    let look = |capabilities| home.with_bus(node(capabilities), "at_least_one_capability");
    table.add(&home, "none", &look(Ok(Vec::new())));
    table.add(
        &home,
        "the node does not answer",
        &look(Err(BusError::Unreachable("GET /manifest: no answer in time".to_owned()))),
    );
}

pub(super) fn llm_backend_reachable(table: &mut Table) {
    let ask = |urls: &[String]| {
        let mut home = Home::fresh();
        home.config.llm_backends = urls.iter().map(|url| LlmBackend::new("ollama", url)).collect();
        home.run("llm_backend_reachable")
    };
    let answers = |status: u16, body: String| {
        ask(&[format!("http://{}", serve(move |_| (status, String::new(), body.clone())))])
    };
    let home = Home::fresh();
    let dead = || format!("http://127.0.0.1:{}", free_port());
    table.add(&home, "not running", &ask(&[dead()]));
    table.add(&home, "two, neither running", &ask(&[dead(), dead()]));
    table.add(&home, "a malformed address", &ask(&["ftp://127.0.0.1/".to_owned()]));
    let unknown = {
        let mut home = Home::fresh();
        home.config.llm_backends = vec![LlmBackend::new("ollama", "http://nosuch.invalid:11434")];
        home.run_on(web(|_| Err(HttpError::NameNotFound)), "llm_backend_reachable")
    };
    table.add(&home, "an unknown host name", &unknown);
    table.add(&home, "a web page", &answers(200, "<html>Welcome to your router</html>".to_owned()));
    table.add(&home, "a login page elsewhere", &answers(302, String::new()));
    table.add(&home, "a wrong path", &answers(404, "no".to_owned()));
    table.add(&home, "broken", &answers(500, "oops".to_owned()));
    table.add(&home, "an endless answer", &answers(200, "x".repeat(2 << 20)));
    table.add(&home, "a wrong API key", &answers(401, "{}".to_owned()));
    table.add(&home, "no model", &answers(200, r#"{"models":[]}"#.to_owned()));
    let off = {
        let mut home = Home::fresh();
        home.config.llm_backends = vec![LlmBackend::new("ollama", "http://192.168.1.7:11434")];
        home.run_on(web(|_| Err(HttpError::Unreached)), "llm_backend_reachable")
    };
    table.add(&home, "a machine at home that is off", &off);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    table.add(&home, "silent", &ask(&[format!("http://{}", silent.local_addr().unwrap())]));
}

pub(super) fn recent_error_rate(table: &mut Table) {
    let home = Home::empty();
    let outcomes = [vec![Outcome::Error; 20], vec![Outcome::Ok; 80]].concat();
    table.add(&home, "20 of 100", &home.with_bus(Node::with(outcomes), "recent_error_rate"));
    let silent = Node {
        capabilities: Err(BusError::Unreachable("GET /trace/recent: no answer in time".to_owned())),
        outcomes: Vec::new(),
    };
    table.add(&home, "the node does not answer", &home.with_bus(silent, "recent_error_rate"));
}

pub(super) fn own_checks(table: &mut Table) {
    let mut doctor = Doctor::empty();
    let blocks = |name: &str| {
        Check::new(name).run_blocking(|_| {
            std::thread::sleep(Duration::from_secs(3));
            CheckResult::pass("late")
        })
    };
    doctor.register(Check::new("own_check").run_blocking(|_| panic!("index 7 of 3"))).unwrap();
    let home = Home::empty();
    let bus: Arc<dyn CapabilityBus> = Arc::new(obs_doctor::NoBus);
    let run = |doctor: &Doctor| doctor.run_all_blocking(&home.config, &bus).results.pop().unwrap();
    table.add(&home, "panics", &run(&doctor));
    let mut doctor = Doctor::empty().limits(Limits::default().per_check(Duration::from_millis(100)));
    doctor.register(blocks("own_check")).unwrap();
    table.add(&home, "does not end", &run(&doctor));
    table.add(&home, "still blocked since an earlier run", &run(&doctor));
    let mut doctor = Doctor::empty().limits(Limits::default().parallel(1).total(Duration::from_millis(50)));
    doctor.register_all([blocks("other"), blocks("own_check")]).unwrap();
    table.add(&home, "its turn never comes", &run(&doctor));
}

/// Checks for which no thread can be started: under a security policy, and at a limit.
#[cfg(target_os = "linux")]
pub(super) fn no_threads(table: &mut Table) {
    let home = Home::fresh();
    let faults =
        [("a security policy allows no thread", libc::EPERM), ("no more threads are allowed", libc::EAGAIN)];
    for (fault, errno) in faults {
        let report = child::report_without_threads(&home, errno);
        let mut result: CheckResult =
            serde_json::from_value(child::check(&report, "keys_present").clone()).unwrap();
        // Each check reads the same.
        result.name = "own_check".to_owned();
        table.add(&home, fault, &result);
    }
}
