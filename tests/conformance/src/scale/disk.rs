//! The alert about a disk that is nearly full, with a small disk for a node's data.

use std::process::Command;
use std::time::Duration;

use super::alerts;
use super::chains::{self, Chains};
use crate::case::{Outcome, Stop, failed};
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::harness::{Lab, free_port, oracle, process};

const ALERT: [(&str, &str); 1] = [("HearthnetDiskLow", "cleo")];
const LIMIT: Duration = Duration::from_secs(30);

/// Puts the data folder `$1` on a disk of 64 MB, of which `$2` becomes the process.
const SMALL_DISK: &str = "\
cp -a \"$1\" \"$1.before\"
mount -t tmpfs -o size=64m,mode=700 none \"$1\"
cp -a \"$1.before/.\" \"$1/\"
exec \"$2\" run --port \"$3\"";

/// Both chains tell of the small disk, and of its end when the disk grows.
pub(super) fn fires_and_resolves(lab: &Lab) -> Outcome {
    if !oracle::runs(Command::new("unshare").args(own_mounts()).arg("true")) {
        return Err(Stop::Skip("this machine gives a test no mounts of its own (unshare)".into()));
    }
    let chains = Chains::of(lab)?;
    let home = chains::home(lab, "cleo")?;
    let data = home.path().join("data");
    let cleo = on_small_disk(home)?;
    if !chains.list_peers_of(&cleo, &chains.trial.targets().join("cleo.json")) {
        return Err(failed("the targets of cleo", cleo.output()));
    }
    alerts::told(chains, &ALERT, "firing", || ())?;

    let pid = cleo.pid().to_string();
    let mut enter = Command::new("nsenter");
    enter.args(["-t", &pid, "-m"]);
    if !rustix::process::geteuid().is_root() {
        enter.args(["-U", "--preserve-credentials"]);
    }
    // The size is a limit: it takes no memory.
    enter.args(["mount", "-o", "remount,size=4g"]).arg(data);
    process::run(&mut enter, b"", LIMIT)?.exits(0)?;
    alerts::told(chains, &ALERT, "resolved", || ())
}

fn own_mounts() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() { &["--mount"] } else { &["--mount", "--map-root-user"] }
}

fn on_small_disk(home: Home) -> Outcome<Node> {
    let port = free_port();
    let plain = home.command();
    let mut command = Command::new("unshare");
    command.env_clear().args(own_mounts()).args(["sh", "-ec", SMALL_DISK, "sh"]);
    command.arg(home.path().join("data")).arg(plain.get_program()).arg(port.to_string());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(home.path());
    Node::start_by(command, home, port)
}
