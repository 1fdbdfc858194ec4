//! The alerts about a disk that is nearly full and about one that is full, with a small disk for a node's files.

use std::process::Command;
use std::time::Duration;

use super::alerts;
use super::chains::{self, Chains};
use crate::case::{Outcome, Stop, failed};
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::harness::{Lab, free_port, oracle, process};

pub(super) const LOW: [(&str, &str); 1] = [("HearthnetDiskLow", "cleo")];
pub(super) const FULL: [(&str, &str); 2] =
    [("HearthnetLogWriteErrors", "cleo"), ("HearthnetHistoryFailing", "cleo")];
const LIMIT: Duration = Duration::from_secs(30);

/// Puts the folders `data` and `state` of the home `$1` on disks of 64 MB each, of which `$2` becomes the process.
const SMALL_DISK: &str = "\
for folder in data state; do
  mkdir -p \"$1/$folder\"
  cp -a \"$1/$folder\" \"$1/$folder.before\"
  mount -t tmpfs -o size=64m,mode=700 none \"$1/$folder\"
  cp -a \"$1/$folder.before/.\" \"$1/$folder/\"
done
exec \"$2\" run --port \"$3\"";

/// Fills both disks of the home `$1`. `dd` fails when there is no room left.
const FILL: &str = "for folder in data state; do ! dd if=/dev/zero of=\"$1/$folder/full\" bs=64k; done";

/// Makes both disks larger. The size is a limit: it takes no memory.
const GROW: &str = "for folder in data state; do mount -o remount,size=4g \"$1/$folder\"; done";

/// Both chains tell of the small disk, of what cannot be written once it is full, and of the end of both when it grows.
pub(super) fn fires_and_resolves(lab: &Lab) -> Outcome {
    if !oracle::runs(Command::new("unshare").args(own_mounts()).arg("true")) {
        return Err(Stop::Skip("this machine gives a test no mounts of its own (unshare)".into()));
    }
    let chains = Chains::of(lab)?;
    let home = chains::home(lab, "cleo")?;
    let cleo = on_small_disk(home)?;
    if !chains.list_peers_of(&cleo, &chains.trial.targets().join("cleo.json")) {
        return Err(failed("the targets of cleo", cleo.output()));
    }
    alerts::told(chains, &LOW, "firing", || ())?;
    run_beside(&cleo, FILL)?;
    let client = cleo.client();
    // A call makes lines and a trace to be written. Its answer is no part of the case.
    let call = || drop(client.call("experimental.echo", br#"{"params":{},"input":{"fail":"timeout"}}"#, &[]));
    alerts::told(chains, &FULL, "firing", call)?;
    run_beside(&cleo, GROW)?;
    alerts::told(chains, &LOW, "resolved", call)?;
    alerts::told(chains, &FULL, "resolved", call)
}

/// Runs a script with the home of a node as `$1`, which sees the disks of the node.
fn run_beside(node: &Node, script: &str) -> Outcome {
    let mut enter = Command::new("nsenter");
    enter.args(["-t", &node.pid().to_string(), "-m"]);
    if !rustix::process::geteuid().is_root() {
        enter.args(["-U", "--preserve-credentials"]);
    }
    enter.args(["sh", "-ec", script, "sh"]).arg(node.home().path());
    process::run(&mut enter, b"", LIMIT)?.exits(0)?;
    Ok(())
}

fn own_mounts() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() { &["--mount"] } else { &["--mount", "--map-root-user"] }
}

fn on_small_disk(home: Home) -> Outcome<Node> {
    let port = free_port();
    let plain = home.command();
    let mut command = Command::new("unshare");
    command.env_clear().args(own_mounts()).args(["sh", "-ec", SMALL_DISK, "sh"]);
    command.arg(home.path()).arg(plain.get_program()).arg(port.to_string());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(home.path());
    Node::start_by(command, home, port)
}
