//! Faults of the sockets: mDNS, discovery, the bus port.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::net::{TcpListener, UdpSocket};

use obs_doctor::CheckResult;
use obs_doctor::machine::{EchoError, HttpResponse, Machine};

use super::table::Table;
use crate::child;
use crate::home::{Home, id_of, node_id};
use crate::network::{Faulty, WELL};
use crate::web::{serve, web};

fn on(sockets: Faulty, home: &Home, name: &str) -> CheckResult {
    home.run_on(Machine::default().sockets(sockets), name)
}

pub(super) fn mdns_socket(table: &mut Table) {
    const NAME: &str = "mdns_socket";
    let home = Home::fresh();
    let alone = child::report_without_mdns(&home);
    table.add_json(&home, "another program does not share the port", NAME, alone.as_ref());
    let denied = Faulty { mdns: Some(ErrorKind::PermissionDenied), ..WELL };
    table.add(&home, "forbidden", &on(denied, &home, NAME));
    let other = Faulty { mdns: Some(ErrorKind::AddrNotAvailable), ..WELL };
    table.add(&home, "no address", &on(other, &home, NAME));
}

pub(super) fn udp_multicast(table: &mut Table) {
    const NAME: &str = "udp_multicast";
    let mut home = Home::fresh();
    {
        let _taken = UdpSocket::bind(("0.0.0.0", home.config.udp_port)).unwrap();
        table.add(&home, "another program does not share the port", &home.run(NAME));
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
    table.add(&home, "no network, and no packet on loopback", &on(deaf, &home, NAME));
    home.config.udp_port = 0;
    table.add(&Home::fresh(), "port 0", &home.run(NAME));
    home.config.udp_multicast_group = "10.0.0.1".to_owned();
    table.add(&home, "not a multicast address", &home.run(NAME));
}

pub(super) fn transport_port(table: &mut Table) {
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
    table.add(&home, "`host` is not an address of this machine", &home.run(NAME));
    home.config.host = "no such host".to_owned();
    table.add(&home, "`host` is not an address", &home.run(NAME));

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
    table.add(&home, "a server that closes the connection", &home.run(NAME));
    home.config.port = 0;
    table.add(&Home::fresh(), "port 0", &home.run(NAME));
}
