//! `mdns_socket`, `udp_multicast`, `transport_port`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use obs_doctor::machine::{EchoError, HttpError, HttpResponse, Interface, Machine, Owner, Protocol, Sockets};
use obs_doctor::{LlmBackend, SkipReason};
use rustix::process::geteuid;
use socket2::{Domain, Socket, Type};

use crate::child::{
    check, in_own_network, report_as_nobody, report_filtered, report_in_namespaces,
    report_in_namespaces_as_nobody, skipped,
};
use crate::filter::as_user;
use crate::home::{Home, assert_fails, assert_passes, assert_skips, free_port, node_id};
use crate::web::{serve, serve_on, serve_raw, web};

/// Sockets that fail with the given errors.
pub(crate) struct Faulty {
    pub(crate) mdns: Option<ErrorKind>,
    pub(crate) tcp: Option<io::Error>,
    pub(crate) routed: fn() -> Result<(), EchoError>,
    pub(crate) loopback: fn() -> Result<(), EchoError>,
    /// Owner of every port.
    pub(crate) uid: u32,
}

pub(crate) const WELL: Faulty =
    Faulty { mdns: None, tcp: None, routed: || Ok(()), loopback: || Ok(()), uid: 107 };

impl Sockets for Faulty {
    fn bind_mdns(&self) -> io::Result<SocketAddr> {
        self.mdns.map_or(Ok("224.0.0.251:5353".parse().unwrap()), |kind| Err(kind.into()))
    }

    fn multicast_echo(&self, _: Ipv4Addr, _: u16, via: Interface, _: Duration) -> Result<(), EchoError> {
        match via {
            Interface::Routed => (self.routed)(),
            Interface::Loopback => (self.loopback)(),
        }
    }

    fn bind_tcp(&self, _: SocketAddr) -> io::Result<()> {
        match &self.tcp {
            Some(err) => {
                Err(err.raw_os_error().map_or_else(|| err.kind().into(), io::Error::from_raw_os_error))
            }
            None => Ok(()),
        }
    }

    fn owner(&self, _: Protocol, _: u16) -> Option<Owner> {
        Some(Owner { uid: self.uid, pid: Some(812), process: Some("avahi-daemon".to_owned()) })
    }
}

fn on(sockets: Faulty, name: &str) -> obs_doctor::CheckResult {
    Home::fresh().run_on(Machine::default().sockets(sockets), name)
}

/// Opens an mDNS socket as avahi does.
pub(crate) fn responder() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5353)).into()).unwrap();
    socket
}

#[test]
fn the_owner_of_a_port_is_found_while_other_sockets_come_and_go() {
    in_own_network("network::the_owner_of_a_port_is_found_while_other_sockets_come_and_go", || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let is_over = AtomicBool::new(false);
        let missed = std::thread::scope(|threads| {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let _others = [(); 4].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
                }
            });
            let sockets = Machine::default().sockets;
            let address = socket.local_addr().unwrap();
            let is_missed = |_: &i32| {
                sockets.owner(Protocol::Udp, port).is_none()
                    || sockets.owners(Protocol::Udp, address).is_empty()
            };
            let missed = (0..300).filter(is_missed).count();
            is_over.store(true, Ordering::Relaxed);
            missed
        });
        assert_eq!(missed, 0, "of 300 looks");
    });
}

#[test]
fn no_false_fail_beside_another_mdns_responder() {
    in_own_network("network::no_false_fail_beside_another_mdns_responder", || {
        let _avahi = responder();
        assert_passes(&Home::fresh().run("mdns_socket"), "224.0.0.251:5353 can be shared");
    });
}

#[test]
fn mdns_faults_have_their_own_words() {
    assert_fails(
        &on(Faulty { mdns: Some(ErrorKind::AddrInUse), ..WELL }, "mdns_socket"),
        "avahi-daemon (pid 812",
        "avahi",
    );
    let denied = Faulty { mdns: Some(ErrorKind::PermissionDenied), ..WELL };
    assert_fails(&on(denied, "mdns_socket"), "may not bind", "security policy");
    let other = Faulty { mdns: Some(ErrorKind::AddrNotAvailable), ..WELL };
    assert_fails(&on(other, "mdns_socket"), "cannot be bound", "interface up");
    let mut home = Home::fresh();
    home.config.mdns_enabled = false;
    assert_skips(&home.run("mdns_socket"), SkipReason::Disabled, "mdns_enabled");
}

#[test]
fn multicast_is_received_beside_a_running_node() {
    let mut home = Home::fresh();
    assert_passes(&home.run("udp_multicast"), "joined and received");
    let node = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    node.set_reuse_address(true).unwrap();
    node.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, home.config.udp_port)).into()).unwrap();
    assert_passes(&home.run("udp_multicast"), "joined and received");
    home.config.udp_enabled = false;
    assert_skips(&home.run("udp_multicast"), SkipReason::Disabled, "udp_enabled");
}

#[test]
fn multicast_faults_have_their_own_words() {
    let routed = |routed| on(Faulty { routed, ..WELL }, "udp_multicast");
    assert_fails(&routed(|| Err(EchoError::Silence)), "did not come back", "firewall");
    assert_fails(
        &routed(|| Err(EchoError::Bind(ErrorKind::PermissionDenied.into()))),
        "may not bind",
        "1024",
    );
    assert_fails(
        &routed(|| Err(EchoError::Join(ErrorKind::InvalidInput.into()))),
        "cannot join",
        "udp_enabled = false",
    );
    assert_fails(
        &routed(|| Err(EchoError::Send(ErrorKind::PermissionDenied.into()))),
        "cannot send",
        "udp_enabled = false",
    );
    assert_passes(&routed(|| Err(EchoError::Join(ErrorKind::NetworkUnreachable.into()))), "no network is up");
    let unplugged = || Err(EchoError::Send(ErrorKind::NetworkUnreachable.into()));
    let island = Faulty { routed: unplugged, loopback: unplugged, ..WELL };
    assert_skips(&on(island, "udp_multicast"), SkipReason::Offline, "no network interface is up");
    let deaf = Faulty { routed: unplugged, loopback: || Err(EchoError::Silence), ..WELL };
    assert_fails(&on(deaf, "udp_multicast"), "on loopback", "allow multicast");
}

#[test]
fn a_bad_group_and_port_0_fail() {
    let mut home = Home::fresh();
    for group in ["10.0.0.1", "ff02::1", "all nodes", ""] {
        home.config.udp_multicast_group = group.to_owned();
        assert_fails(&home.run("udp_multicast"), "is not an IPv4 multicast address", "239.255.42.42");
    }
    let mut home = Home::fresh();
    home.config.udp_port = 0;
    assert_fails(&home.run("udp_multicast"), "port 0", "42424");
}

fn health(id: &str) -> impl Fn(&str) -> (u16, String, String) + Send + use<> {
    let body = format!(r#"{{"status":"ok","node_id":"{id}","version":"0.1.0"}}"#);
    move |path| {
        if path == "/health" {
            (200, String::new(), body.clone())
        } else {
            (404, String::new(), String::new())
        }
    }
}

#[test]
fn a_free_port_and_our_own_node_pass() {
    let mut home = Home::fresh();
    assert_passes(&home.run("transport_port"), "is free");
    home.config.port = serve(health(&node_id())).port();
    assert_passes(&home.run("transport_port"), "served by this node");
}

#[test]
fn another_program_fails_and_is_named() {
    let mut home = Home::fresh();
    let me = format!("pid {}", std::process::id());
    home.config.port = serve(|_| (200, String::new(), "<html>".to_owned())).port();
    assert_fails(&home.run("transport_port"), "is not a HearthNet node", "[transport] port");
    assert!(home.run("transport_port").detail.contains(&me));
    // A server that does not speak HTTP.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    home.config.port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
        }
    });
    assert_fails(&home.run("transport_port"), "valid HTTP", "[transport] port");
}

#[test]
fn a_silent_owner_of_the_port_is_reported() {
    let mut home = Home::fresh();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    home.config.port = silent.local_addr().unwrap().port();
    // This process has the port and does not answer, as a busy node sees itself.
    assert_passes(&home.run("transport_port"), "belongs to this process");
    let in_use = || Faulty { tcp: Some(ErrorKind::AddrInUse.into()), ..WELL };
    assert_fails(&on(in_use(), "transport_port"), "avahi-daemon (pid 812, uid 107) has port", "stop it");
    let denied = Faulty { tcp: Some(ErrorKind::PermissionDenied.into()), ..WELL };
    assert_fails(&on(denied, "transport_port"), "may not bind port", "CAP_NET_BIND_SERVICE");
}

/// A node that stops closes the connection and is gone. A node that starts answers the second attempt.
#[test]
fn no_false_fail_on_a_node_that_ends_or_starts() {
    let mut home = Home::fresh();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    home.config.port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        drop(stream);
        std::thread::sleep(Duration::from_millis(15)); // taken for a moment, without an answer
        drop(listener);
    });
    assert_passes(&home.run("transport_port"), "is free");

    let asked = std::sync::atomic::AtomicBool::new(false);
    let id = node_id();
    let starting = web(move |_| match asked.swap(true, std::sync::atomic::Ordering::SeqCst) {
        false => Err(HttpError::Refused),
        true => Ok(HttpResponse::new(200).body(format!(r#"{{"node_id":"{id}"}}"#))),
    });
    let in_use = Faulty { tcp: Some(ErrorKind::AddrInUse.into()), uid: geteuid().as_raw(), ..WELL };
    assert_passes(&home.run_on(starting.sockets(in_use), "transport_port"), "served by this node");
}

type Answer = Box<dyn Fn(&mut dyn Write) -> io::Result<()> + Send + Sync>;

/// Responses of another program to `GET /health`, some of them endless.
#[test]
fn no_false_pass_on_any_answer_of_another_program() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    let ours = node_id();
    let claim = format!(r#"{{"status":"ok","node_id":"{ours}"}}"#);
    let check = |said: &str, answer: Answer| {
        let mut home = Home::fresh();
        home.config.port = serve_raw(move |stream| answer(stream)).port();
        // The check exceeds its deadline if it reads on, which gives another verdict.
        assert_fails(&home.run("transport_port"), said, "[transport] port");
    };
    let forever = |begin: String, again: &'static str| -> Answer {
        Box::new(move |stream| {
            let again = again.repeat(1000);
            stream.write_all(begin.as_bytes())?;
            loop {
                stream.write_all(again.as_bytes())?;
            }
        })
    };
    let once = |text: String| -> Answer { Box::new(move |stream| stream.write_all(text.as_bytes())) };
    check("is not a HearthNet node", once(format!("{OK}content-length: 6\r\n\r\n<html>")));
    // Its claim is beyond the limit of the body, in the wrong field, or not in JSON.
    check("a body of more than 65536 bytes", forever(format!("{OK}\r\n{claim}"), "                "));
    check(
        "a body of more than 65536 bytes",
        forever(format!("{OK}transfer-encoding: chunked\r\n\r\n"), "4\r\n    \r\n"),
    );
    check("does not answer in valid HTTP", forever(OK.to_owned(), "x-more: and more\r\n"));
    check("does not answer in valid HTTP", forever("HTTP/1.1 ".to_owned(), "2"));
    check("", forever(String::new(), "HTTP/1.1 100 Continue\r\n\r\n"));
    let others = format!(r#"{{"node":{{"node_id":"{ours}"}},"node_id":["{ours}"]}}"#);
    check("is not a HearthNet node", once(format!("{OK}content-length: {}\r\n\r\n{others}", others.len())));
    check("another node has port", once(health_text("ed25519:another")));
    check("another node has port", once(health_text(&format!("{ours}\\n"))));
    check("closes the connection", once(format!("{OK}content-length: 900\r\n\r\n{claim}")));
    let nested = "[".repeat(60_000);
    check("is not a HearthNet node", once(format!("{OK}content-length: 60000\r\n\r\n{nested}")));
}

fn health_text(id: &str) -> String {
    let body = format!(r#"{{"status":"ok","node_id":"{id}"}}"#);
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A node's ID is public. Here a process of a user who may not read the key answers with it.
#[test]
fn no_false_pass_on_another_user_with_this_nodes_id() {
    let home = Home::fresh();
    let liar = || web(|_| Ok(HttpResponse::new(200).body(format!(r#"{{"node_id":"{}"}}"#, node_id()))));
    let on = |uid| home.run_on(liar().sockets(Faulty { uid, ..WELL }), "transport_port");
    assert_fails(&on(107), "avahi-daemon (pid 812, uid 107)", "stop it");
    for uid in [geteuid().as_raw(), 0, 65_534] {
        assert_passes(&on(uid), "served by this node");
    }
}

/// Another user's program is a fault at the node's own address, and not at another address.
#[test]
fn a_program_on_another_address_is_no_fault() {
    const NAME: &str = "network::a_program_on_another_address_is_no_fault";
    if !geteuid().is_root() {
        return skipped(NAME);
    }
    const STRANGER: u32 = 4242;
    let listen = |uid, address: &'static str, port| {
        let bind = move || TcpListener::bind((address, port)).unwrap();
        if uid == 0 { bind() } else { as_user(uid, bind) }
    };
    let health = format!(r#"{{"node_id":"{}"}}"#, node_id());
    let answer = move |listener: TcpListener| {
        let health = health.clone();
        serve_on(listener, move |_| (200, String::new(), health.clone()));
    };
    let judge = |host: &str, port| {
        let mut home = Home::fresh();
        home.config.host = host.to_owned();
        home.config.port = port;
        home.run("transport_port")
    };
    // In one of the two orders the stranger's socket comes first in the kernel's table.
    for stranger_first in [true, false] {
        let port = free_port();
        let mut pair = [(STRANGER, "127.0.0.1"), (0, "127.0.0.5")];
        if !stranger_first {
            pair.reverse();
        }
        for (uid, address) in pair {
            answer(listen(uid, address, port));
        }
        assert_passes(&judge("127.0.0.5", port), "served by this node");
        assert_fails(&judge("127.0.0.1", port), "uid 4242) has port", "stop it");
    }
    let port = free_port();
    answer(listen(STRANGER, "0.0.0.0", port));
    assert_fails(&judge("127.0.0.5", port), "uid 4242) has port", "stop it");
    assert_fails(&judge("0.0.0.0", port), "uid 4242) has port", "stop it");
}

/// A system call that a seccomp profile refuses proves nothing about the machine.
#[test]
fn no_false_fail_under_a_profile_that_refuses_a_system_call() {
    // Faults of this machine, such as a network without multicast.
    let failed = |report: &serde_json::Value| -> Vec<String> {
        let bad = |check: &&serde_json::Value| check["status"] == "fail" || check["status"] == "error";
        let checks = report["checks"].as_array().unwrap().iter().filter(bad);
        checks.map(|check| format!("{} {}", check["name"], check["detail"])).collect()
    };
    let calls: &[(&str, &[i64])] = &[
        ("faccessat2", &[libc::SYS_faccessat2]),
        ("both faccessat", &[libc::SYS_faccessat2, libc::SYS_faccessat]),
        ("statfs", &[libc::SYS_statfs, libc::SYS_fstatfs]),
        ("statx", &[libc::SYS_statx]),
        ("socket", &[libc::SYS_socket]),
        ("bind", &[libc::SYS_bind]),
        ("setsockopt", &[libc::SYS_setsockopt]),
        ("connect", &[libc::SYS_connect]),
        ("utimensat", &[libc::SYS_utimensat]),
        ("readlinkat", &[libc::SYS_readlinkat]),
    ];
    let mut home = Home::fresh();
    let models = serve(|_| (200, String::new(), r#"{"models":[{"name":"tiny"}]}"#.to_owned()));
    home.config.llm_backends = vec![LlmBackend::new("near", format!("http://{models}"))];
    let before = failed(&report_filtered(&home, libc::EPERM, &[libc::SYS_faccessat2 + 10_000]));
    assert_eq!(before, Vec::<String>::new());
    for (name, numbers) in calls {
        for errno in [libc::EPERM, libc::ENOSYS] {
            let report = report_filtered(&home, errno, numbers);
            assert_eq!(failed(&report), before, "{name} answers {errno}");
        }
    }
    for errno in [libc::EPERM, libc::ENOSYS, libc::EAFNOSUPPORT] {
        let report = report_filtered(&home, errno, &[libc::SYS_socket]);
        let backend = check(&report, "llm_backend_reachable");
        assert_eq!(backend["status"], "skip", "{errno}: {backend}");
    }
}

/// The kernel shares a port among sockets of one user alone, but a socket can be given to another user afterwards.
#[test]
fn a_stranger_that_shares_address_and_port_with_the_node_is_told() {
    if !geteuid().is_root() {
        return skipped("a_stranger_that_shares_address_and_port_with_the_node_is_told");
    }
    let mut home = Home::fresh();
    home.config.host = "127.0.0.5".to_owned();
    home.config.port = free_port();
    let address = SocketAddr::new(home.config.host.parse().unwrap(), home.config.port);
    let listen = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(16).unwrap();
        TcpListener::from(socket)
    };
    let (ours, strangers) = (listen(), listen());
    for listener in [&ours, &strangers] {
        let listener = listener.try_clone().unwrap();
        serve_on(listener, health(&node_id()));
    }
    assert_passes(&home.run("transport_port"), "served by this node");
    for stranger in [&ours, &strangers] {
        std::os::unix::fs::fchown(stranger, Some(4242), None).unwrap();
        assert_fails(&home.run("transport_port"), "uid 4242) has port", "stop it");
        std::os::unix::fs::fchown(stranger, Some(0), None).unwrap();
    }
}

/// Two users cannot listen on one address and port, whichever of them comes first.
#[test]
fn users_do_not_share_a_port() {
    if !geteuid().is_root() {
        return skipped("users_do_not_share_a_port");
    }
    let listen = |port: u16| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 5], port)).into())?;
        socket.listen(16)?;
        io::Result::Ok(socket)
    };
    let port = free_port();
    let _ours = listen(port).unwrap();
    let theirs = as_user(4242, move || listen(port));
    assert_eq!(theirs.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn no_false_fail_for_a_user_beside_a_responder_of_root() {
    const NAME: &str = "network::no_false_fail_for_a_user_beside_a_responder_of_root";
    in_own_network(NAME, || {
        let _avahi = responder();
        let Some(report) = report_as_nobody(&Home::fresh()) else { return skipped(NAME) };
        for name in ["mdns_socket", "udp_multicast"] {
            assert_eq!(check(&report, name)["status"], "pass", "{report:#}");
        }
    });
}

/// EACCES is not reported as "port in use".
#[test]
fn a_privileged_port_is_reported() {
    let mut home = Home::fresh();
    home.config.port = 80;
    let Some(report) = report_in_namespaces_as_nobody(&home, "ip link set lo up") else {
        return skipped("a_privileged_port_is_reported");
    };
    let port = check(&report, "transport_port");
    assert_eq!(port["detail"], "this user may not bind port 80", "{port}");
    assert!(port["fix"].as_str().unwrap().contains("CAP_NET_BIND_SERVICE"), "{port}");
}

#[test]
fn no_false_fail_on_connections_in_time_wait() {
    let mut home = Home::fresh();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    drop(server); // the side that closes first waits
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop((client, listener));
    home.config.port = address.port();
    assert_passes(&home.run("transport_port"), "is free");
}

#[test]
fn wildcard_and_ipv6_addresses_pass() {
    let mut home = Home::fresh();
    for host in ["::", "[::1]", "localhost", "127.0.0.1"] {
        home.config.host = host.to_owned();
        assert_passes(&home.run("transport_port"), "is free");
    }
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    home.config.host = "::".to_owned();
    home.config.port = serve_on(listener, health(&node_id())).port();
    assert_passes(&home.run("transport_port"), "served by this node");
}

#[test]
fn no_false_fail_on_a_machine_with_ipv6_alone() {
    let mut home = Home::fresh();
    home.config.host = "::".to_owned();
    home.config.port = free_port();
    let setup = "ip link set lo up; ip addr del 127.0.0.1/8 dev lo";
    let Some(report) = report_in_namespaces(&home, setup) else {
        return skipped("no_false_fail_on_a_machine_with_ipv6_alone");
    };
    for name in ["mdns_socket", "udp_multicast", "transport_port"] {
        assert_eq!(check(&report, name)["ok"], true, "{report:#}");
    }
}
