//! Guarantees of a whole run: a new node is healthy, nothing changes, nothing is disturbed, no secret is shown.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use obs_doctor::render::{self, TextStyle};
use obs_doctor::{
    BusError, CapabilityBus, Check, CheckResult, Config, Doctor, LlmBackend, Outcome, Report, SkipReason,
    Status,
};

use serde_json::Value;

use crate::child::{check, in_own_network, report_beside_blocked_checks, report_in_namespaces, skipped};
use crate::event_log::crashed;
use crate::home::{Home, SEED, no_bus};
use crate::network::responder;
use crate::node::Node;

#[test]
fn test_doctor_all_pass_on_default_config() {
    let home = Home::fresh();
    let bus: Arc<dyn CapabilityBus> = Arc::new(Node::with(vec![Outcome::Ok; 100]));
    let report = Doctor::standard().run_all_blocking(&home.config, &bus);
    assert!(report.is_ok(), "{}", render::text(&report, &TextStyle::default()));
    assert_eq!(report.results.len(), 19);
    assert!(report.node_id.is_some());
}

#[test]
fn a_new_node_that_is_not_running_is_healthy() {
    let report = Home::fresh().run_all();
    assert_eq!(report.exit_code(), 0, "{}", render::text(&report, &TextStyle::default()));
}

#[test]
fn offline_nothing_fails_within_2_s() {
    let home = Home::fresh();
    let mut abroad = Home::fresh();
    abroad.config.clock_anchors = vec!["http://cp.example.com/".to_owned(), "http://192.0.2.1/".to_owned()];
    abroad.config.llm_backends = vec![LlmBackend::new("far", "http://llm.example.com/v1")];
    // No network, loopback only, and a network whose router has no internet connection and drops all packets.
    let no_internet = "ip link set lo up; ip link add eth9 type veth peer name router
        ip addr add 192.0.2.9/24 dev eth9; ip link set eth9 up; ip link set router up
        ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth9; ip route add default via 192.0.2.1
        conf=$(mktemp); echo nameserver 192.0.2.1 > $conf; mount --bind $conf /etc/resolv.conf; rm $conf";
    for setup in ["", "ip link set lo up", no_internet] {
        for home in [&home, &abroad] {
            // Other tests may delay a check beyond its deadline.
            let mut tries = (0..5).map(|_| report_in_namespaces(home, setup));
            let is_well =
                |report: &Value| report["ok"] == true && report["duration_ms"].as_u64() <= Some(2000);
            let Some(first) = tries.next().unwrap() else {
                return skipped("offline_nothing_fails_within_2_s");
            };
            assert!(is_well(&first) || tries.flatten().any(|report| is_well(&report)), "{setup}: {first:#}");
        }
    }
}

/// Returns content and times of all files and folders, without SQLite's shared memory, which holds no data.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime, u32)> {
    let state = |path: &Path, content| {
        let meta = fs::metadata(path).unwrap();
        (content, meta.modified().unwrap(), meta.mode())
    };
    let mut all = BTreeMap::from([(folder.to_owned(), state(folder, Vec::new()))]);
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            all.extend(snapshot(&path));
        } else if !path.to_string_lossy().ends_with("-shm") {
            all.insert(path.clone(), state(&path, fs::read(&path).unwrap()));
        }
    }
    all
}

#[test]
fn nothing_in_the_data_folder_changes() {
    let without_shm = crashed();
    fs::remove_file(without_shm.event_log().with_extension("sqlite-shm")).unwrap();
    // Not read with plain calls while it is open in this process, because their `close` would drop its locks.
    for home in [Home::fresh(), crashed(), without_shm] {
        let before = snapshot(&home.config.data_dir);
        assert!(before.len() >= 7);
        std::thread::sleep(Duration::from_millis(20));
        let report = home.run_all();
        assert_eq!(report.get("event_log_writable").unwrap().status, Status::Pass);
        assert_eq!(before, snapshot(&home.config.data_dir));
    }
}

#[test]
fn an_empty_home_has_two_causes_and_two_failures() {
    let mut home = Home::empty();
    home.config.community_id = None;
    let report = home.run_all();
    let of = |name: &str| (report.get(name).unwrap().status, report.get(name).unwrap().caused_by.clone());
    for (cause, dependent) in [("keys_present", "keys_loadable"), ("community_present", "event_log_writable")]
    {
        assert_eq!(of(cause), (Status::Fail, None));
        assert_eq!(of(dependent), (Status::Skip, Some(cause.to_owned())));
        assert_eq!(report.get(dependent).unwrap().detail, format!("needs {cause}"));
    }
    assert_eq!(report.summary().fail, 2, "{report:?}");
}

#[test]
fn blocked_checks_do_not_delay_the_process_beyond_5_s() {
    let home = Home::fresh();
    let report = report_beside_blocked_checks(&home);
    assert!(report["duration_ms"].as_u64() <= Some(5000), "{report:#}");
    assert_eq!(report["summary"]["error"], 2, "{report:#}");
    assert_eq!(report["checks"].as_array().unwrap().len(), 21);
    assert_eq!(check(&report, "event_log_writable")["status"], "pass");
}

#[test]
fn an_empty_home_stays_empty() {
    let home = Home::empty();
    home.run_all();
    assert_eq!(fs::read_dir(&home.config.data_dir).unwrap().count(), 0);
}

/// Runs the named check repeatedly while `work` runs.
fn during_a_doctor_loop(home: &Home, name: &str, work: impl FnOnce()) {
    let over = Arc::new(AtomicBool::new(false));
    let (config, stop) = (home.config.clone(), Arc::clone(&over));
    let doctor = Doctor::standard().only([name]).unwrap();
    let patient = std::thread::spawn(move || {
        let mut runs = 0;
        while !stop.load(Ordering::Relaxed) || runs == 0 {
            assert!(doctor.run_all_blocking(&config, &no_bus()).results.len() == 1);
            runs += 1;
        }
    });
    work();
    over.store(true, Ordering::Relaxed);
    patient.join().unwrap();
}

#[test]
fn two_hundred_node_starts_get_their_port() {
    let home = Home::fresh();
    during_a_doctor_loop(&home, "transport_port", || {
        for start in 0..200 {
            let node = TcpListener::bind(("0.0.0.0", home.config.port));
            assert!(node.is_ok(), "start {start}: {node:?}");
        }
    });
}

#[test]
fn no_unicast_mdns_packet_is_stolen() {
    in_own_network("promises::no_unicast_mdns_packet_is_stolen", || {
        let avahi: UdpSocket = responder().into();
        avahi.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        during_a_doctor_loop(&Home::fresh(), "mdns_socket", || {
            for n in 0..200_u8 {
                sender.send_to(&[b'd', b'r', n], "127.0.0.1:5353").unwrap();
                let mut packet = [0; 2048];
                loop {
                    let len = avahi.recv(&mut packet).expect("a packet was stolen");
                    if packet[..len] == [b'd', b'r', n] {
                        break;
                    }
                }
            }
        });
    });
}

/// A careless check puts the key and other secrets into its texts.
#[test]
fn a_careless_check_leaks_no_secret() {
    let hex: String = SEED.iter().map(|byte| format!("{byte:02x}")).collect();
    let (standard, url_safe) = (STANDARD.encode(SEED), URL_SAFE_NO_PAD.encode(SEED));
    let secrets = [&hex, &standard, &url_safe, "hunter2"].map(str::to_owned);
    let said = [&hex, &standard, &url_safe].map(|key| format!("seed {key}, or ({key}); key={key}"));
    let mut doctor = Doctor::empty();
    let careless = [
        CheckResult::pass(said.join(" ")),
        CheckResult::fail(format!("cannot sign with {hex}")).fix(format!("export HEARTHNET_KEY={url_safe}")),
        CheckResult::warn("Authorization: Bearer hunter2")
            .evidence("token", "hunter2")
            .evidence("seen", &standard),
        CheckResult::skip(
            SkipReason::Offline,
            "curl -H 'X-Api-Key: hunter2' http://u:hunter2@h/?access_token=hunter2",
        ),
        CheckResult::error("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----"),
    ];
    for (at, result) in careless.into_iter().enumerate() {
        let check = Check::new(format!("careless_{at}")).run_blocking(move |_| result.clone());
        doctor.register(check).unwrap();
    }
    let panics = secrets.clone();
    doctor.register(Check::new("panics").run_blocking(move |_| panic!("seed: {}", panics[3]))).unwrap();
    let config = Config::new("/nosuch").clock_anchors(["http://u:hunter2@h/"]).host("u:hunter2@h");
    let seen = everything(&doctor.run_all_blocking(&config, &no_bus())) + &format!("{config:?}");
    for secret in secrets {
        assert!(!seen.contains(secret.trim_end_matches('=')), "{secret} in {seen}");
    }
}

/// Returns every form of a report.
fn everything(report: &Report) -> String {
    let styles =
        [TextStyle::default().verbose(true), TextStyle::default().verbose(true).ascii(true).color(true)];
    let mut all = format!("{report:?}{}", render::json(report));
    for style in styles {
        all += &render::text(report, &style);
    }
    all
}

struct Leaky;

impl CapabilityBus for Leaky {
    fn node_id(&self) -> Option<String> {
        Some("http://u:hunter2-id@node".to_owned())
    }
    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        Err(BusError::Unreachable(
            "GET http://u:hunter2-bus@h/manifest?token=hunter2-query: refused".to_owned(),
        ))
    }
    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(Vec::new())
    }
    fn recent_outcomes(&self, _: usize) -> Result<Vec<Outcome>, BusError> {
        Err(BusError::Unreachable("Authorization: Bearer hunter2-bearer \u{1b}[2J".to_owned()))
    }
}

#[test]
fn no_secret_is_in_any_output() {
    let mut home = Home::fresh();
    home.config.llm_backends = vec![
        LlmBackend::new("a", "http://u:hunter2-url@127.0.0.1:9/v1?api_key=hunter2-llm"),
        LlmBackend::new("http://u:hunter2-name@h", "u:hunter2-bare@127.0.0.1:9"),
        LlmBackend::new("c", "http://127.0.0.1:hunter2-port@x"),
    ];
    home.config.clock_anchors = vec!["http://u:hunter2-anchor@127.0.0.1:9/?sig=hunter2-sig".to_owned()];
    home.config.host = "http://u:hunter2-host@h".to_owned();
    let bus: Arc<dyn CapabilityBus> = Arc::new(Leaky);
    // With a valid key and with a broken one.
    let mut seen = everything(&Doctor::standard().run_all_blocking(&home.config, &bus));
    fs::write(home.seed(), &SEED[..31]).unwrap();
    seen += &everything(&Doctor::standard().run_all_blocking(&home.config, &bus));
    seen += &format!("{:?}", home.config.llm_backends);
    assert!(!seen.contains("hunter2"), "{seen}");
    let hex: String = SEED.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8_lossy(&SEED[..20]).into_owned();
    for form in [&hex[..24], &STANDARD.encode(SEED)[..24], &text, &format!("{:?}", &SEED[..4])] {
        assert!(!seen.contains(form), "{form}");
    }
    // Foreign text holds no control characters.
    assert!(!seen.contains("\u{1b}[2J"));
}

#[test]
fn every_failure_has_a_fix() {
    let mut home = Home::empty();
    home.config.community_id = None;
    home.config.port = 0;
    home.config.udp_port = 0;
    home.config.llm_backends = vec![LlmBackend::new("a", "nonsense")];
    let bus: Arc<dyn CapabilityBus> = Arc::new(Leaky);
    let report = Doctor::standard().run_all_blocking(&home.config, &bus);
    let failed: Vec<_> = report.results.iter().filter(|result| result.status == Status::Fail).collect();
    assert!(failed.len() >= 7, "{report:?}");
    let mut fixes: Vec<_> =
        failed.iter().map(|result| (result.name.as_str(), result.fix.as_deref().unwrap())).collect();
    fixes.retain(|(_, fix)| fix.len() < 10);
    assert!(fixes.is_empty(), "{fixes:?}");
}
