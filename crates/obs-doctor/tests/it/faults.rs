//! Every check × every fault, and the line that the doctor prints for it (D2, D6).
//!
//! `docs/faults.md` is that table. After a change of wording, `UPDATE_FAULTS=1 cargo test -p obs-doctor faults` writes
//! it anew; on a machine without root or `unshare` the rows that need them are neither compared nor written.

use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use obs_doctor::system::{EchoError, Files, HttpError, HttpResponse, System, Volume, Volumes};
use obs_doctor::{BusError, CapabilityBus, Check, CheckResult, Doctor, Limits, LlmBackend, Outcome, Status};
use rusqlite::Connection;
use serde_json::Value;

use crate::child;
use crate::home::{Home, append, free_port, id_of, node_id, set_mode};
use crate::network::{Faulty, WELL};
use crate::node::Node;
use crate::web::{serve, web};

/// The rows so far, in order.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    /// A row that this machine could not make.
    missing: bool,
}

struct Row {
    check: String,
    fault: String,
    verdict: &'static str,
    detail: String,
    fix: String,
}

impl Table {
    fn add(&mut self, home: &Home, fault: &str, result: &CheckResult) {
        assert!(matches!(result.status, Status::Fail | Status::Warn | Status::Error), "{fault}: {result:?}");
        self.rows.push(Row {
            check: result.name.clone(),
            fault: fault.to_owned(),
            verdict: result.status.as_str(),
            detail: general(home, &result.detail),
            fix: general(home, result.fix.as_deref().unwrap_or_default()),
        });
    }

    /// As [`add`](Self::add), from a report of another process, if there could be one.
    fn add_json(&mut self, home: &Home, fault: &str, name: &str, report: Option<&Value>) {
        match report {
            Some(report) => {
                let result: CheckResult = serde_json::from_value(child::check(report, name).clone()).unwrap();
                self.add(home, fault, &result);
            }
            None => self.missing = true,
        }
    }

    fn markdown(&self) -> String {
        let mut text = String::from(
            "# Each check, each fault, and what the doctor says\n\nA test makes every one of these faults and compares \
             what is said with this table.\n",
        );
        let mut check = "";
        for row in &self.rows {
            if row.check != check {
                check = &row.check;
                write!(text, "\n## `{check}`\n\n| fault | verdict | detail | fix |\n|---|---|---|---|\n")
                    .unwrap();
            }
            writeln!(text, "{row}").unwrap();
        }
        text
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "| {} | {} | {} | {} |", self.fault, self.verdict, self.detail, self.fix)
    }
}

/// `text` as it would read on a usual node: without this run's folders, ports and processes.
fn general(home: &Home, text: &str) -> String {
    let user = std::env::var("HOME").unwrap_or_default();
    let without_user = |text: String| match user.len() {
        0..=1 => text,
        _ => text.replace("~/", &format!("{user}/")),
    };
    without_user(with_nginx_for_us(text))
        .replace(&home.config.data_dir.display().to_string(), "~/.local/share/hearthnet")
        .replace(&home.root().display().to_string(), "~")
        .replace(&node_id(), "ed25519:our…")
        .replace(&id_of(&[9; 32]), "ed25519:another…")
        .replace(&format!("key is of uid {}", uid()), "key is of uid 1000")
        .replace(&format!("port {}", home.config.port), "port 7080")
        .replace(&format!(":{}", home.config.port), ":7080")
        .replace(&format!("port {}", home.config.udp_port), "port 42424")
        .replace(&format!(":{}", home.config.udp_port), ":42424")
}

/// This program, in this process or a child, is the one that has the port.
fn with_nginx_for_us(text: &str) -> String {
    let name = fs::read_to_string(format!("/proc/{}/comm", std::process::id())).unwrap_or_default();
    let Some((before, rest)) = text.split_once(&format!("{} (pid ", name.trim_end())) else {
        return text.to_owned();
    };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let after = after.strip_prefix(&format!(", uid {})", uid())).unwrap_or(after);
    format!("{before}nginx (pid 812, uid 33){after}")
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A disk whose every answer is this error.
struct Broken(ErrorKind);

impl Files for Broken {
    fn open(&self, _: &Path) -> io::Result<File> {
        Err(match self.0 {
            ErrorKind::Other => io::Error::from_raw_os_error(5),
            kind => kind.into(),
        })
    }
    fn open_no_follow(&self, path: &Path) -> io::Result<File> {
        self.open(path)
    }
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.open(path)?.metadata()
    }
    fn list(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        self.open(path).map(|_| Vec::new())
    }
}

fn broken_disk() -> System {
    System::default().files(Broken(ErrorKind::Other))
}

fn keys_present(table: &mut Table) {
    let home = Home::fresh();
    let look = |table: &mut Table, fault: &str| table.add(&home, fault, &home.run("keys_present"));
    let path = home.seed();
    for mode in [0o644, 0o640] {
        set_mode(&path, mode);
        look(table, &format!("mode {mode:04o}"));
    }
    set_mode(&path, 0o200);
    look(table, "mode 0200");
    set_mode(&path, 0o600);
    match chown(&path, Some(1234), None) {
        Ok(()) => look(table, "another user's"),
        Err(_) => table.missing = true,
    }
    fs::remove_file(&path).unwrap();
    look(table, "missing");
    symlink(home.root().join("gone"), &path).unwrap();
    look(table, "a link to nothing");
    fs::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
    look(table, "a link to itself");
    fs::remove_file(&path).unwrap();
    symlink("/dev/null", &path).unwrap();
    look(table, "a link to a device");
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    look(table, "a pipe");
    fs::remove_file(&path).unwrap();
    let _socket = UnixListener::bind(&path).unwrap();
    look(table, "a socket");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    look(table, "a folder");
    fs::remove_dir_all(&home.config.keys_dir).unwrap();
    fs::write(&home.config.keys_dir, "").unwrap();
    look(table, "`keys_dir` is a file");
    table.add(&home, "the disk is broken", &home.run_on(broken_disk(), "keys_present"));

    let home = Home::fresh();
    set_mode(&home.config.keys_dir, 0o700);
    let report = child::report_as_stranger(&home);
    table.add_json(&home, "a folder that this user may not enter", "keys_present", report.as_ref());
}

/// Puts a file in the place of `path` that can be opened, and of which no byte can be read.
fn unreadable(path: &Path) {
    fs::remove_file(path).unwrap();
    symlink("/proc/self/mem", path).unwrap();
}

fn keys_loadable(table: &mut Table) {
    let home = Home::fresh();
    let look = |table: &mut Table, fault: &str| table.add(&home, fault, &home.run("keys_loadable"));
    let seed = fs::read(home.seed()).unwrap();
    fs::write(home.seed(), [7; 33]).unwrap();
    look(table, "a byte too many");
    fs::write(home.seed(), "").unwrap();
    look(table, "empty");
    fs::write(home.seed(), [0; 32]).unwrap();
    look(table, "zero bytes after a power cut");
    unreadable(&home.seed());
    look(table, "cannot be read");
    fs::remove_file(home.seed()).unwrap();
    fs::write(home.seed(), seed).unwrap();
    set_mode(&home.seed(), 0o600);
    fs::write(home.public(), ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key()).unwrap();
    look(table, "`device.pub` of another key");
    fs::write(home.public(), [7; 31]).unwrap();
    look(table, "`device.pub` a byte short");
    let mut no_point = [0; 32];
    no_point[0] = 2; // y = 2 is on no point of the curve
    fs::write(home.public(), no_point).unwrap();
    look(table, "`device.pub` is no key");
    unreadable(&home.public());
    look(table, "`device.pub` cannot be read");
    fs::remove_file(home.public()).unwrap();
    look(table, "no `device.pub`");
    fs::create_dir(home.public()).unwrap();
    look(table, "`device.pub` is a folder");
    fs::remove_dir(home.public()).unwrap();
    symlink(home.public(), home.public()).unwrap();
    look(table, "`device.pub` is a link to itself");
    fs::remove_file(home.seed()).unwrap();
    fs::create_dir(home.seed()).unwrap();
    look(table, "a folder");
}

fn community_present(table: &mut Table) {
    const NAME: &str = "community_present";
    let mut home = Home::fresh();
    let look = |table: &mut Table, home: &Home, fault: &str| table.add(home, fault, &home.run(NAME));
    let path = home.manifest();
    fs::write(&path, "{").unwrap();
    look(table, &home, "not JSON");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    look(table, &home, "not text");
    fs::write(&path, "[]").unwrap();
    look(table, &home, "another document");
    fs::write(&path, format!(r#"{{"community_id":"{}"}}"#, id_of(&[9; 32]))).unwrap();
    look(table, &home, "of another community");
    fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
    look(table, &home, "over 1 MiB");
    fs::remove_file(&path).unwrap();
    look(table, &home, "missing");
    fs::create_dir(&path).unwrap();
    look(table, &home, "a folder");
    let denied = System::default().files(Broken(ErrorKind::PermissionDenied));
    table.add(&home, "unreadable", &home.run_on(denied, NAME));
    table.add(&home, "the disk is broken", &home.run_on(broken_disk(), NAME));
    home.config.community_id = Some("../../etc".to_owned());
    look(table, &home, "`community_id` is a path");

    let mut home = Home::empty();
    home.config.community_id = None;
    look(table, &home, "no communities folder");
    fs::create_dir(&home.config.communities_dir).unwrap();
    look(table, &home, "no community");
    fs::remove_dir(&home.config.communities_dir).unwrap();
    fs::write(&home.config.communities_dir, "").unwrap();
    look(table, &home, "the communities folder is a file");
}

fn event_log_writable(table: &mut Table) {
    const NAME: &str = "event_log_writable";
    let home = Home::fresh();
    let look = |table: &mut Table, fault: &str| table.add(&home, fault, &home.run(NAME));
    let path = home.event_log();
    let log = Connection::open(&path).unwrap();
    log.execute_batch("BEGIN IMMEDIATE").unwrap();
    append(&log, 1);
    look(table, "another program is writing");
    drop(log);
    let journal = path.with_extension("sqlite-journal");
    fs::write(&journal, [1; 512]).unwrap();
    look(table, "a rollback journal is there");
    fs::remove_file(&journal).unwrap();
    let log = Connection::open(&path).unwrap();
    log.execute_batch("DROP TABLE clock").unwrap();
    drop(log);
    look(table, "a table is missing");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..140].fill(0xff); // the first page's tree header
    fs::write(&path, bytes).unwrap();
    look(table, "damaged");
    fs::write(&path, [b'x'; 4096]).unwrap();
    look(table, "not SQLite");
    fs::write(&path, "").unwrap();
    look(table, "empty");
    fs::remove_file(&path).unwrap();
    look(table, "missing");
    fs::create_dir(&path).unwrap();
    look(table, "a folder");
    table.add(&home, "the disk is broken", &home.run_on(broken_disk(), NAME));

    let home = Home::fresh();
    set_mode(&home.event_log(), 0o444);
    table.add_json(&home, "mode 0444", NAME, child::report_as_nobody(&home).as_ref());
    let home = Home::fresh();
    set_mode(&home.community(), 0o555);
    table.add_json(&home, "the folder has mode 0555", NAME, child::report_as_nobody(&home).as_ref());
    let home = Home::fresh();
    let data = home.config.data_dir.display();
    let bind = format!("mount --bind {data} {data}; mount -o remount,ro,bind {data}");
    table.add_json(&home, "a read-only mount", NAME, child::report_in_namespaces(&home, &bind).as_ref());
    let full = format!(
        "cp -a {data} {data}.away; mount -t tmpfs -o size=1m none {data}; cp -a {data}.away/. {data}; \
         cat /dev/zero > {data}/ballast 2>/dev/null || true"
    );
    table.add_json(&home, "a full disk", NAME, child::report_in_namespaces(&home, &full).as_ref());
}

fn on(sockets: Faulty, home: &Home, name: &str) -> CheckResult {
    home.run_on(System::default().sockets(sockets), name)
}

fn mdns_socket(table: &mut Table) {
    const NAME: &str = "mdns_socket";
    let home = Home::fresh();
    let alone = child::report_without_mdns(&home);
    table.add_json(&home, "another program has it for itself", NAME, alone.as_ref());
    let denied = Faulty { mdns: Some(ErrorKind::PermissionDenied), ..WELL };
    table.add(&home, "forbidden", &on(denied, &home, NAME));
    let other = Faulty { mdns: Some(ErrorKind::AddrNotAvailable), ..WELL };
    table.add(&home, "no address", &on(other, &home, NAME));
}

fn udp_multicast(table: &mut Table) {
    const NAME: &str = "udp_multicast";
    let mut home = Home::fresh();
    {
        let _taken = UdpSocket::bind(("0.0.0.0", home.config.udp_port)).unwrap();
        table.add(&home, "another program has it for itself", &home.run(NAME));
    }
    let routed = |table: &mut Table, fault, routed| {
        table.add(&home, fault, &on(Faulty { routed, ..WELL }, &home, NAME));
    };
    routed(table, "forbidden", || Err(EchoError::Bind(ErrorKind::PermissionDenied.into())));
    routed(table, "cannot be joined", || Err(EchoError::Join(ErrorKind::InvalidInput.into())));
    routed(table, "cannot be sent to", || Err(EchoError::Send(ErrorKind::PermissionDenied.into())));
    routed(table, "a firewall takes the packet", || Err(EchoError::Silence));
    let unplugged = || Err(EchoError::Send(ErrorKind::NetworkUnreachable.into()));
    let deaf = Faulty { routed: unplugged, loopback: || Err(EchoError::Silence), ..WELL };
    table.add(&home, "no network, and deaf on loopback", &on(deaf, &home, NAME));
    home.config.udp_port = 0;
    table.add(&Home::fresh(), "port 0", &home.run(NAME));
    home.config.udp_multicast_group = "10.0.0.1".to_owned();
    table.add(&home, "not a multicast address", &home.run(NAME));
}

fn transport_port(table: &mut Table) {
    const NAME: &str = "transport_port";
    let mut home = Home::fresh();
    let denied = Faulty { tcp: Some(ErrorKind::PermissionDenied.into()), ..WELL };
    table.add(&home, "forbidden", &on(denied, &home, NAME));
    let in_use = Faulty { tcp: Some(ErrorKind::AddrInUse.into()), ..WELL };
    table.add(&home, "another program, which is silent", &on(in_use, &home, NAME));
    let other = Faulty { tcp: Some(ErrorKind::OutOfMemory.into()), ..WELL };
    table.add(&home, "cannot be bound", &on(other, &home, NAME));
    home.config.host = "::1".to_owned();
    let no_ipv6 = Faulty { tcp: Some(io::Error::from_raw_os_error(97)), ..WELL };
    table.add(&home, "no IPv6", &on(no_ipv6, &home, NAME));
    home.config.host = "192.0.2.77".to_owned();
    table.add(&home, "`host` is no address of this machine", &home.run(NAME));
    home.config.host = "no such host".to_owned();
    table.add(&home, "`host` is no address", &home.run(NAME));

    let mut home = Home::fresh();
    home.config.port = serve(|_| (200, String::new(), "<html>".to_owned())).port();
    table.add(&home, "a web server", &home.run(NAME));
    let health = format!(r#"{{"status":"ok","node_id":"{}"}}"#, id_of(&[9; 32]));
    home.config.port = serve(move |_| (200, String::new(), health.clone())).port();
    table.add(&home, "another node", &home.run(NAME));
    fs::remove_dir_all(&home.config.keys_dir).unwrap();
    table.add(&home, "a node, and no key here", &home.run(NAME));
    let mut home = Home::fresh();
    let liar = web(|_| Ok(HttpResponse::new(200).body(format!(r#"{{"node_id":"{}"}}"#, node_id()))));
    let result = home.run_on(liar.sockets(WELL), NAME);
    table.add(&home, "another user's program with our node's ID", &result);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    home.config.port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
        }
    });
    table.add(&home, "an SSH server", &home.run(NAME));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    home.config.port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    table.add(&home, "a server that hangs up", &home.run(NAME));
    home.config.port = 0;
    table.add(&Home::fresh(), "port 0", &home.run(NAME));
}

fn at_least_one_capability(table: &mut Table) {
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

struct Disk(Option<Volume>);

impl Volumes for Disk {
    fn of(&self, _: &Path) -> io::Result<Volume> {
        self.0.ok_or_else(|| io::Error::from_raw_os_error(5))
    }
}

fn disk_space(table: &mut Table) {
    const NAME: &str = "disk_space";
    const ROOMY: Volume = Volume {
        available_bytes: 2_000_000_000,
        total_bytes: 4_000_000_000,
        available_inodes: Some(9),
        read_only: false,
    };
    let mut home = Home::fresh();
    let on = |volume| home.run_on(System::default().volumes(Disk(volume)), NAME);
    table.add(&home, "999 999 999 bytes", &on(Some(Volume { available_bytes: 999_999_999, ..ROOMY })));
    table.add(&home, "no inodes", &on(Some(Volume { available_inodes: Some(0), ..ROOMY })));
    table.add(&home, "mounted read-only", &on(Some(Volume { read_only: true, ..ROOMY })));
    table.add(&home, "the disk does not answer", &on(None));
    let denied = System::default().files(Broken(ErrorKind::PermissionDenied));
    table.add(&home, "unreachable for this user", &home.run_on(denied, NAME));
    let file = home.root().join("file");
    fs::write(&file, "").unwrap();
    home.config.data_dir = file.join("data");
    table.add(&home, "within a file", &home.run(NAME));
    let link = home.root().join("disk");
    symlink(home.root().join("not mounted"), &link).unwrap();
    home.config.data_dir = link.join("data");
    table.add(&home, "on a disk that is not mounted", &home.run(NAME));
}

fn clock_sanity(table: &mut Table) {
    let look = |seconds: [Option<i64>; 3]| {
        let mut home = Home::fresh();
        home.config.clock_anchors = (0..3).map(|at| format!("http://a{at}/")).collect();
        let anchors = web(move |request| {
            let at: usize = request.url.trim_end_matches('/').rsplit('a').next().unwrap().parse().unwrap();
            let step = Duration::from_secs(seconds[at].ok_or(HttpError::NoRoute)?.unsigned_abs());
            let ahead = seconds[at] > Some(0);
            let now = SystemTime::now();
            let date = if ahead { now + step } else { now - step };
            Ok(HttpResponse::new(200).header("date", httpdate::fmt_http_date(date)))
        });
        home.run_on(anchors, "clock_sanity")
    };
    let home = Home::fresh();
    let whole = |mut result: CheckResult| {
        result.detail = result.detail.replace("299 s", "300 s").replace("301 s", "300 s");
        result
    };
    table.add(&home, "two anchors are ahead", &whole(look([Some(300), Some(300), None])));
    table.add(&home, "two anchors are behind", &whole(look([Some(-300), Some(-300), None])));
    table.add(&home, "one anchor of two is ahead", &whole(look([Some(300), Some(0), None])));
}

fn llm_backend_reachable(table: &mut Table) {
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
    table.add(&home, "an address that is none", &ask(&["ftp://127.0.0.1/".to_owned()]));
    let unknown = {
        let mut home = Home::fresh();
        home.config.llm_backends = vec![LlmBackend::new("ollama", "http://nosuch.invalid:11434")];
        home.run_on(web(|_| Err(HttpError::NameNotFound)), "llm_backend_reachable")
    };
    table.add(&home, "a name that nobody knows", &unknown);
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

fn recent_error_rate(table: &mut Table) {
    let home = Home::empty();
    let outcomes = [vec![Outcome::Error; 20], vec![Outcome::Ok; 80]].concat();
    table.add(&home, "20 of 100", &home.with_bus(Node::with(outcomes), "recent_error_rate"));
    let silent = Node {
        capabilities: Err(BusError::Unreachable("GET /trace/recent: no answer in time".to_owned())),
        outcomes: Vec::new(),
    };
    table.add(&home, "the node does not answer", &home.with_bus(silent, "recent_error_rate"));
}

fn own_checks(table: &mut Table) {
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
    table.add(&home, "has not ended since the run before", &run(&doctor));
    let mut doctor = Doctor::empty().limits(Limits::default().parallel(1).total(Duration::from_millis(50)));
    doctor.register_all([blocks("other"), blocks("own_check")]).unwrap();
    table.add(&home, "its turn never comes", &run(&doctor));
}

#[test]
fn pain_12_every_fault_has_its_own_words_and_its_fix() {
    let mut table = Table::default();
    for faults in [
        keys_present,
        keys_loadable,
        community_present,
        event_log_writable,
        mdns_socket,
        udp_multicast,
        transport_port,
        at_least_one_capability,
        disk_space,
        clock_sanity,
        llm_backend_reachable,
        recent_error_rate,
        own_checks,
    ] {
        faults(&mut table);
    }
    for (at, row) in table.rows.iter().enumerate() {
        assert!(row.fix.len() > 10, "no fix: {row}");
        let same = |other: &&Row| other.check == row.check && other.detail == row.detail;
        assert!(!table.rows[..at].iter().any(|other| same(&other)), "said before: {row}");
    }
    for name in Doctor::standard().checks().map(Check::name) {
        let fails = |row: &&Row| row.check == name && row.verdict == "fail";
        assert!(table.rows.iter().any(|row| fails(&row)), "{name} has no failing case");
    }
    compare(&table);
}

fn compare(table: &Table) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let now = table.markdown();
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        assert!(!table.missing, "the table is written as root alone, where every fault can be made");
        fs::write(&file, &now).unwrap();
    }
    let known = fs::read_to_string(&file).unwrap();
    let unknown: Vec<&str> = now.lines().filter(|line| !known.lines().any(|known| known == *line)).collect();
    assert!(unknown.is_empty(), "not in {}:\n{}", file.display(), unknown.join("\n"));
    let unmade: Vec<&str> = known.lines().filter(|line| !now.lines().any(|made| made == *line)).collect();
    assert!(table.missing || unmade.is_empty(), "no fault makes these of {}: {unmade:#?}", file.display());
    assert!(table.missing || now == known, "{} is in another order", file.display());
}
