//! A node that is bound to one address of the network, and its own commands.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use crate::node::{Home, Node, free_port, text_of};

/// Machine without a network, until it gets one.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command on the machine of the process `pid`.
fn on(pid: u32, command: &Command) -> Output {
    let mut entered = Command::new("nsenter");
    entered.args(["--net", "--target", &pid.to_string()]).arg(command.get_program()).args(command.get_args());
    entered.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    entered.output().unwrap()
}

fn shell(pid: u32, script: &str) {
    let ran = on(pid, Command::new("sh").args(["-ec", script]));
    assert!(ran.status.success(), "{script}: {}", text_of(&ran.stderr));
}

/// Waits until the process has a network of its own.
fn wait_for_network(pid: u32) {
    let begun = Instant::now();
    let network = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    while network(&pid.to_string()).is_none_or(|of_pid| Some(of_pid) == network("self")) {
        assert!(begun.elapsed() < Duration::from_secs(30), "no network namespace");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_node_bound_to_one_address_answers_its_own_machine_and_no_other() {
    let made = Command::new("unshare")
        .args(["--net", "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        let _ =
            writeln!(std::io::stderr(), "skipped: needs the right to make a network, and the program `ip`");
        return;
    }
    let (home, port) = (Home::new(), free_port());
    home.write_config(&format!(
        "transport = {{ host = \"10.99.0.9\", port = {port} }}\nemergency = {{ probe_targets = [] }}\n\
         discovery = {{ mdns_enabled = false, udp_enabled = false }}\n"
    ));
    let network = "ip link set lo up && ip addr add 10.99.0.9/32 dev lo && exec \"$@\"";
    let run = home.command(&["run"]);
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", network, "sh"]).arg(run.get_program()).args(run.get_args());
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let node = Node::start_by(command, home, port);
    let ran = |pid: u32, args: &[&str]| on(pid, &node.home.command(args));
    for args in [
        &["status"][..],
        &["log", "level", "hearthnet.bus=debug", "--for", "1m"],
        &["caps", "--json"],
        &["call", "experimental.echo", "--body", "{}"],
    ] {
        let ran = ran(node.pid(), args);
        assert_eq!(ran.status.code(), Some(0), "{args:?}: {}", text_of(&ran.stderr));
    }

    let other = Machine(Command::new("unshare").args(["--net", "sleep", "120"]).spawn().unwrap());
    let other = &other.0;
    wait_for_network(other.id());
    shell(
        node.pid(),
        &format!(
            "ip link add v0 type veth peer name v1 netns {}; ip addr add 10.98.0.1/24 dev v0; ip link set v0 up",
            other.id()
        ),
    );
    shell(
        other.id(),
        "ip link set lo up; ip addr add 10.98.0.2/24 dev v1; ip link set v1 up; ip route add 10.99.0.9 via 10.98.0.1",
    );
    let refused = ran(other.id(), &["status"]);
    let said = text_of(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("only to its own machine"), "{said}");
    let refused = ran(other.id(), &["log", "level", "--reset"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text_of(&refused.stderr));
    assert_eq!(ran(other.id(), &["call", "experimental.echo", "--body", "{}"]).status.code(), Some(0));
}
