//! Folders of a new node, as `hearthnet init` makes them, and runs of single checks on them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use obs_doctor::machine::Machine;
use obs_doctor::{CapabilityBus, CheckResult, Config, Doctor, NoBus, Report, Status};
use rusqlite::Connection;

pub(crate) use crate::free_port::free_port;

pub(crate) const SEED: [u8; 32] = *b"a seed that must not be printed!";

pub(crate) struct Home {
    pub(crate) config: Config,
    dir: tempfile::TempDir,
}

impl Home {
    /// Creates a healthy home with a free port and without requests to the internet.
    pub(crate) fn fresh() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        let config = Config::new(&data)
            .port(free_port())
            .udp_port(free_udp_port())
            .clock_anchors(["http://127.0.0.1:9/"])
            .community_id(Some(node_id()))
            .log_dir(Some(dir.path().join("log")));
        fs::create_dir(dir.path().join("log")).unwrap();
        set_mode(&dir.path().join("log"), 0o700);
        let home = Self { config, dir };
        home.make_keys();
        home.make_community(&node_id());
        home
    }

    /// Creates a home with an empty data folder.
    pub(crate) fn empty() -> Self {
        let home = Self::fresh();
        fs::remove_dir_all(&home.config.data_dir).unwrap();
        fs::create_dir(&home.config.data_dir).unwrap();
        home
    }

    fn make_keys(&self) {
        fs::create_dir(&self.config.keys_dir).unwrap();
        fs::write(self.seed(), SEED).unwrap();
        set_mode(&self.seed(), 0o600);
        fs::write(self.public(), SigningKey::from_bytes(&SEED).verifying_key().as_bytes()).unwrap();
    }

    pub(crate) fn make_community(&self, id: &str) {
        let folder = self.config.communities_dir.join(id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("manifest.json"), format!(r#"{{"version":1,"community_id":"{id}"}}"#)).unwrap();
        make_event_log(&folder.join("events.sqlite"));
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn seed(&self) -> PathBuf {
        self.config.keys_dir.join("device.ed25519")
    }

    pub(crate) fn public(&self) -> PathBuf {
        self.config.keys_dir.join("device.pub")
    }

    pub(crate) fn community(&self) -> PathBuf {
        self.config.communities_dir.join(node_id())
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.community().join("manifest.json")
    }

    pub(crate) fn event_log(&self) -> PathBuf {
        self.community().join("events.sqlite")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root().join("log")
    }

    pub(crate) fn run_all(&self) -> Report {
        Doctor::standard().run_all_blocking(&self.config, &no_bus())
    }

    pub(crate) fn run(&self, name: &str) -> CheckResult {
        self.run_on(Machine::default(), name)
    }

    pub(crate) fn run_on(&self, machine: Machine, name: &str) -> CheckResult {
        Doctor::standard().machine(machine).run_one_blocking(name, &self.config, &no_bus()).unwrap()
    }

    pub(crate) fn with_bus(&self, bus: impl CapabilityBus, name: &str) -> CheckResult {
        let bus: Arc<dyn CapabilityBus> = Arc::new(bus);
        Doctor::standard().run_one_blocking(name, &self.config, &bus).unwrap()
    }
}

pub(crate) fn make_event_log(path: &Path) {
    let log = Connection::open(path).unwrap();
    log.pragma_update(None, "journal_mode", "WAL").unwrap();
    log.execute_batch(
        "CREATE TABLE events (event_id TEXT PRIMARY KEY, community_id, schema_version, lamport INTEGER, wall_clock,
             author, event_type, data, signature, received_at);
         CREATE TABLE clock (community_id PRIMARY KEY, lamport);",
    )
    .unwrap();
}

pub(crate) fn append(log: &Connection, id: i64) {
    log.execute("INSERT INTO events (event_id, lamport) VALUES (?1, ?1)", [id]).unwrap();
}

pub(crate) fn no_bus() -> Arc<dyn CapabilityBus> {
    Arc::new(NoBus)
}

pub(crate) fn node_id() -> String {
    id_of(&SEED)
}

pub(crate) fn id_of(seed: &[u8; 32]) -> String {
    format!("ed25519:{}", URL_SAFE_NO_PAD.encode(SigningKey::from_bytes(seed).verifying_key().as_bytes()))
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn free_udp_port() -> u16 {
    std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

/// Asserts a failure with this detail and fix.
#[track_caller]
pub(crate) fn assert_fails(result: &CheckResult, detail: &str, fix: &str) {
    assert_eq!(result.status, Status::Fail, "{result:?}");
    assert_says(result, detail, fix);
}

#[track_caller]
pub(crate) fn assert_warns(result: &CheckResult, detail: &str, fix: &str) {
    assert_eq!(result.status, Status::Warn, "{result:?}");
    assert_says(result, detail, fix);
}

#[track_caller]
fn assert_says(result: &CheckResult, detail: &str, fix: &str) {
    assert!(result.detail.contains(detail), "{:?} should say {detail:?}", result.detail);
    let said = result.fix.as_deref().unwrap_or_default();
    assert!(!said.is_empty() && said.contains(fix), "fix {said:?} should say {fix:?}");
}

#[track_caller]
pub(crate) fn assert_passes(result: &CheckResult, detail: &str) {
    assert_eq!(result.status, Status::Pass, "{result:?}");
    assert!(result.ok && result.detail.contains(detail), "{:?} should say {detail:?}", result.detail);
}

#[track_caller]
pub(crate) fn assert_skips(result: &CheckResult, reason: obs_doctor::SkipReason, detail: &str) {
    assert_eq!((result.status, result.skip_reason), (Status::Skip, Some(reason)), "{result:?}");
    assert!(result.ok && result.detail.contains(detail), "{:?} should say {detail:?}", result.detail);
}
