//! Every fault of every check, with the doctor's line and fix.
//!
//! `docs/faults.md` is that table. After a change of wording, `UPDATE_FAULTS=1 cargo test -p obs-doctor faults` rewrites it.
//! Without root or `unshare`, the rows that need them are neither compared nor written.

mod broken;
mod identity;
mod machine;
mod network;
mod node;
mod observability;
mod table;

use std::fs;
use std::path::PathBuf;

use obs_doctor::{Check, Doctor};

use self::table::{Row, Table};

#[test]
fn every_fault_has_its_own_words_and_fix() {
    let mut table = Table::default();
    for faults in [
        identity::keys_present,
        identity::keys_loadable,
        identity::community_present,
        identity::event_log_writable,
        network::mdns_socket,
        network::udp_multicast,
        network::transport_port,
        node::at_least_one_capability,
        machine::disk_space,
        machine::clock_sanity,
        node::llm_backend_reachable,
        node::recent_error_rate,
        observability::log_folder,
        observability::log_writes,
        observability::log_handover,
        observability::log_crash_safety,
        observability::trace_export,
        observability::last_stop,
        observability::clock_steps,
        node::own_checks,
        node::no_threads,
    ] {
        faults(&mut table);
    }
    for (at, row) in table.rows.iter().enumerate() {
        assert!(row.fix.len() > 10, "no fix: {row}");
        let same = |other: &&Row| other.check == row.check && other.detail == row.detail;
        assert!(!table.rows[..at].iter().any(|other| same(&other)), "said before: {row}");
    }
    for name in Doctor::standard().checks().map(Check::name) {
        // A kill that is over is a warning.
        let worst = if name == "last_stop" { "warn" } else { "fail" };
        let fails = |row: &&Row| row.check == name && row.verdict == worst;
        assert!(table.rows.iter().any(|row| fails(&row)), "{name} has no failing case");
    }
    compare(&table);
}

fn compare(table: &Table) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let now = table.markdown();
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        assert!(!table.missing, "the table is written as root only, when every fault can be made");
        fs::write(&file, &now).unwrap();
    }
    let known = fs::read_to_string(&file).unwrap();
    let unknown: Vec<&str> = now.lines().filter(|line| !known.lines().any(|known| known == *line)).collect();
    assert!(unknown.is_empty(), "not in {}:\n{}", file.display(), unknown.join("\n"));
    let unmade: Vec<&str> = known.lines().filter(|line| !now.lines().any(|made| made == *line)).collect();
    assert!(table.missing || unmade.is_empty(), "no fault makes these of {}: {unmade:#?}", file.display());
    assert!(table.missing || now == known, "{} is in another order", file.display());
}
