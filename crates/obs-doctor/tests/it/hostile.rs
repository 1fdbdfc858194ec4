//! Arbitrary content of files, servers and nodes gives a verdict and never a panic.

use std::fs;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use obs_doctor::{BusError, CapabilityBus, CheckResult, Doctor, LlmBackend, Outcome, Status};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::home::{Home, no_bus};
use crate::web::serve_raw;

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Arbitrary bytes, and valid answers with one fault.
fn damaged(right: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..20_usize, any::<u8>(), 0..3_u8);
    let changed = prop::collection::vec(change, 0..5).prop_map(move |changes| {
        let mut bytes = right.as_bytes().to_vec();
        for (at, many, byte, how) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            let end = (at + many).min(bytes.len());
            match how {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..end),
            }
        }
        bytes
    });
    prop_oneof![3 => changed, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

/// Asserts a verdict in text that is safe for a terminal and for a JSON reader.
fn is_a_verdict(result: &CheckResult) -> Result<(), TestCaseError> {
    prop_assert!(result.status != Status::Error, "{result:?}");
    prop_assert!(!result.detail.is_empty() && !result.detail.contains(char::is_control), "{result:?}");
    prop_assert_eq!(
        result.fix.is_some(),
        matches!(result.status, Status::Fail | Status::Warn),
        "{:?}",
        result
    );
    Ok(())
}

#[test]
fn any_answer_of_a_server_is_a_verdict() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Wed, 25 Nov 2026 16:00:31 GMT\r\n\
        Transfer-Encoding: chunked\r\n\r\n1c\r\n{\"models\":[],\"node_id\":\"ed25\r\n8\r\n519:our\"}\r\n0\r\n\r\n";
    let answer = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&answer);
    let server = serve_raw(move |stream| stream.write_all(&said.lock().unwrap().clone()));
    let mut home = Home::fresh();
    home.config.port = server.port();
    home.config.clock_anchors = vec![format!("http://{server}/"); 3];
    home.config.llm_backends = vec![LlmBackend::new("own", format!("http://{server}"))];
    let checks = ["transport_port", "clock_sanity", "llm_backend_reachable"];
    let doctor = Doctor::standard().only(checks).unwrap();
    let run = |bytes: Vec<u8>| {
        *answer.lock().unwrap() = bytes;
        let report = doctor.run_all_blocking(&home.config, &no_bus());
        prop_assert!(
            !report.get("transport_port").unwrap().detail.contains("served by this node"),
            "{report:?}"
        );
        report.results.iter().try_for_each(is_a_verdict)
    };
    runner(48).run(&damaged(ANSWER), run).unwrap();
}

#[test]
fn any_content_of_the_files_is_a_verdict() {
    const MANIFEST: &str = r#"{"version":1,"community_id":"ed25519:3q2-7w","members":[{"node_id":"a"}]}"#;
    let mut home = Home::fresh();
    home.config.community_id = None;
    let doctor =
        Doctor::standard().only(["keys_loadable", "community_present", "event_log_writable"]).unwrap();
    let seed = prop_oneof![prop::collection::vec(any::<u8>(), 30..35), Just(vec![0; 32])];
    let files = (seed, damaged(MANIFEST), damaged("SQLite format 3\0\u{10}\0\u{1}\u{1}\0@  "), any::<bool>());
    let run = |(seed, manifest, log, has_wal): (Vec<u8>, Vec<u8>, Vec<u8>, bool)| {
        let wal = home.event_log().with_extension("sqlite-wal");
        fs::write(home.seed(), &seed).unwrap();
        fs::write(home.manifest(), manifest).unwrap();
        fs::write(home.event_log(), &log).unwrap();
        if has_wal {
            fs::write(&wal, &seed).unwrap();
        }
        let report = doctor.run_all_blocking(&home.config, &no_bus());
        prop_assert!(report.get("keys_loadable").unwrap().status == Status::Fail, "{report:?}");
        prop_assert_eq!(fs::read(home.event_log()).unwrap(), log);
        prop_assert!(!has_wal || fs::read(&wal).unwrap() == seed);
        let _ = fs::remove_file(&wal);
        report.results.iter().try_for_each(is_a_verdict)
    };
    runner(48).run(&files, run).unwrap();
}

#[test]
fn any_configuration_is_a_verdict() {
    let text = "\\PC{0,40}|[a-z0-9:/@?#%\\[\\]. -]{0,60}|(https?://)?[a-z0-9.:@\\[\\]-]{1,40}";
    let values = (text, text, text, text, any::<(u16, u16)>());
    let checks =
        ["community_present", "udp_multicast", "transport_port", "clock_sanity", "llm_backend_reachable"];
    let doctor = Doctor::standard().only(checks).unwrap();
    let run = |(id, host, group, url, (port, udp_port)): (String, String, String, String, (u16, u16))| {
        let mut home = Home::empty();
        // No host names, because the result would depend on the network.
        home.config = home.config.community_id(Some(id)).host(host.replace(char::is_alphabetic, "1"));
        home.config = home.config.port(port).udp_port(udp_port).udp_multicast_group(group).offline(true);
        home.config =
            home.config.llm_backends([LlmBackend::new(&url, url.replace(char::is_alphabetic, "1"))]);
        let report = doctor.run_all_blocking(&home.config, &no_bus());
        report.results.iter().try_for_each(is_a_verdict)
    };
    runner(48).run(&values, run).unwrap();
}

/// Node whose answers come from peers.
struct Told(Vec<String>, Vec<Outcome>);

impl CapabilityBus for Told {
    fn node_id(&self) -> Option<String> {
        self.0.first().cloned()
    }
    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        Ok(self.0.clone())
    }
    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(self.0.clone())
    }
    /// Returns more outcomes than were requested.
    fn recent_outcomes(&self, _: usize) -> Result<Vec<Outcome>, BusError> {
        Ok(self.1.clone())
    }
}

#[test]
fn any_word_of_a_node_is_a_verdict() {
    let home = Home::empty();
    let outcome = prop_oneof![Just(Outcome::Ok), Just(Outcome::Error), Just(Outcome::Cancelled)];
    let node = (prop::collection::vec("(?s).{0,300}", 0..40), prop::collection::vec(outcome, 0..300));
    let run = |(names, outcomes): (Vec<String>, Vec<Outcome>)| {
        for check in ["at_least_one_capability", "recent_error_rate"] {
            is_a_verdict(&home.with_bus(Told(names.clone(), outcomes.clone()), check))?;
        }
        Ok(())
    };
    runner(48).run(&node, run).unwrap();
}
