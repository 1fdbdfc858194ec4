//! `keys_present` and `keys_loadable`.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use obs_doctor::{SkipReason, device_node_id};

use crate::child::{check, report_as_nobody, skipped};
use crate::home::{Home, SEED, assert_fails, assert_passes, node_id, set_mode};

#[test]
fn no_false_fail_on_a_key_of_mode_0400() {
    let home = Home::fresh();
    assert_passes(&home.run("keys_present"), "device.ed25519, 0600");
    set_mode(&home.seed(), 0o400);
    assert_passes(&home.run("keys_present"), "device.ed25519, 0400");
}

#[test]
fn test_doctor_keys_missing() {
    let home = Home::fresh();
    fs::remove_file(home.seed()).unwrap();
    let report = home.run_all();
    assert_fails(report.get("keys_present").unwrap(), "no device key at", "run `hearthnet init`");
    let dependent = report.get("keys_loadable").unwrap();
    assert_eq!(dependent.skip_reason, Some(SkipReason::Dependency));
    assert_eq!(dependent.caused_by.as_deref(), Some("keys_present"));
    assert_eq!(dependent.detail, "needs keys_present");
    assert_eq!((report.summary().fail, report.exit_code()), (1, 1), "one fault, one failure: {report:?}");
}

#[test]
fn a_symbolic_link_is_checked_at_its_target() {
    let home = Home::fresh();
    let target = home.root().join("real key");
    fs::rename(home.seed(), &target).unwrap();
    symlink(&target, home.seed()).unwrap();
    let result = home.run("keys_present");
    assert_passes(&result, "0600");
    assert!(result.evidence.iter().any(|(key, value)| key == "symlink_to" && value.ends_with("real key")));

    set_mode(&target, 0o644);
    assert_fails(&home.run("keys_present"), "mode 0644", "real key'");
    fs::remove_file(&target).unwrap();
    assert_fails(&home.run("keys_present"), "a symbolic link to nothing", "point it to the key");
}

#[test]
fn a_key_of_another_user_fails() {
    let home = Home::fresh();
    if chown(home.seed(), Some(1234), None).is_err() {
        return skipped("a_key_of_another_user_fails");
    }
    assert_fails(&home.run("keys_present"), "belongs to uid 1234", "chown 0 ");
    // Root checks another user's node: key and folder have the same owner.
    chown(&home.config.keys_dir, Some(1234), None).unwrap();
    assert_passes(&home.run("keys_present"), "0600");
}

#[test]
fn no_false_fail_for_a_user_who_is_not_root() {
    let home = Home::fresh();
    let Some(report) = report_as_nobody(&home) else {
        return skipped("no_false_fail_for_a_user_who_is_not_root");
    };
    for name in ["keys_present", "keys_loadable", "community_present", "event_log_writable", "transport_port"]
    {
        assert_eq!(check(&report, name)["status"], "pass", "{report:#}");
    }
}

#[test]
fn a_working_seed_passes_and_shows_its_public_key() {
    let result = Home::fresh().run("keys_loadable");
    assert_passes(&result, &format!("Ed25519, node {}", node_id()));
}

#[test]
fn the_node_id_comes_from_either_key() {
    let home = Home::fresh();
    assert_eq!(device_node_id(&home.config.keys_dir), Some(node_id()));
    fs::remove_file(home.public()).unwrap();
    assert_eq!(device_node_id(&home.config.keys_dir), Some(node_id()));
    fs::write(home.seed(), &SEED[..31]).unwrap();
    assert_eq!(device_node_id(&home.config.keys_dir), None);
}
