//! `keys_present` and `keys_loadable`.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use obs_doctor::{SkipReason, device_node_id};

use crate::child::{check, report_as_nobody, skipped};
use crate::home::{Home, SEED, assert_fails, assert_passes, node_id, set_mode};

#[test]
fn d2_a_key_of_ours_passes_0600_and_0400() {
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
fn d2_a_key_that_others_can_use_fails() {
    let home = Home::fresh();
    for mode in [0o644, 0o640, 0o620, 0o601, 0o604] {
        set_mode(&home.seed(), mode);
        assert_fails(&home.run("keys_present"), &format!("mode {mode:04o}"), "chmod 600 ");
    }
    set_mode(&home.seed(), 0o200);
    assert_fails(&home.run("keys_present"), "its owner cannot read it", "chmod 600 ");
}

#[test]
fn d2_a_link_is_looked_at_where_it_leads() {
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
    assert_fails(&home.run("keys_present"), "a symbolic link to nothing", "restore the key");
}

#[test]
fn d2_what_is_no_file_fails_without_waiting() {
    let home = Home::fresh();
    let path = home.seed();
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_fails(&home.run("keys_present"), "is a pipe, not a file", "restore the key");
    fs::remove_file(&path).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_fails(&home.run("keys_present"), "is not a file", "restore the key");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_fails(&home.run("keys_present"), "is a folder, not a file", "restore the key");
    fs::remove_dir_all(&home.config.keys_dir).unwrap();
    fs::write(&home.config.keys_dir, "").unwrap();
    assert_fails(&home.run("keys_present"), "is not a folder", "keys_dir");
}

#[test]
fn d2_a_key_of_another_user_fails() {
    let home = Home::fresh();
    if chown(home.seed(), Some(1234), None).is_err() {
        return skipped("d2_a_key_of_another_user_fails");
    }
    assert_fails(&home.run("keys_present"), "belongs to uid 1234", "chown 0 ");
    // Root looks at another user's node: then key and folder belong together.
    chown(&home.config.keys_dir, Some(1234), None).unwrap();
    assert_passes(&home.run("keys_present"), "0600");
}

#[test]
fn d2_a_key_out_of_reach_says_who_should_look() {
    let home = Home::fresh();
    set_mode(&home.config.keys_dir, 0o700);
    let as_another_user = || {
        let become_nobody = |command: &mut std::process::Command| {
            std::os::unix::process::CommandExt::uid(command, crate::child::NOBODY);
        };
        rustix::process::geteuid().is_root().then(|| crate::child::report(&home, None, become_nobody))?
    };
    let Some(report) = as_another_user() else {
        return skipped("d2_a_key_out_of_reach_says_who_should_look");
    };
    let present = check(&report, "keys_present");
    assert_eq!(present["status"], "fail", "{present}");
    assert!(present["detail"].as_str().unwrap().contains("is not readable for uid 65534"), "{present}");
    assert!(present["fix"].as_str().unwrap().contains("run the doctor as the user"), "{present}");
}

#[test]
fn d2_a_user_who_is_not_root_passes() {
    let home = Home::fresh();
    let Some(report) = report_as_nobody(&home) else {
        return skipped("d2_a_user_who_is_not_root_passes");
    };
    for name in ["keys_present", "keys_loadable", "community_present", "event_log_writable", "transport_port"]
    {
        assert_eq!(check(&report, name)["status"], "pass", "{report:#}");
    }
}

#[test]
fn d2_a_seed_that_signs_passes_and_shows_its_public_part() {
    let result = Home::fresh().run("keys_loadable");
    assert_passes(&result, &format!("Ed25519, node {}", node_id()));
}

#[test]
fn d2_what_is_no_seed_fails() {
    let home = Home::fresh();
    for (content, detail) in [
        (vec![], "0 bytes, an Ed25519 seed has 32"),
        (vec![7; 31], "31 bytes"),
        (vec![7; 33], "33 bytes"),
        (vec![7; 1 << 20], "1048576 bytes"),
        (vec![0; 32], "only zero bytes"),
    ] {
        fs::write(home.seed(), content).unwrap();
        assert_fails(&home.run("keys_loadable"), detail, "restore the key from a backup");
    }
    fs::remove_file(home.seed()).unwrap();
    assert_fails(&home.run("keys_loadable"), "no device key", "run `hearthnet init`");
}

#[test]
fn d2_a_public_key_that_is_not_its_own_fails() {
    let home = Home::fresh();
    fs::write(home.public(), public_key_of(&[9; 32])).unwrap();
    assert_fails(&home.run("keys_loadable"), "belongs to another key", "makes it again");
    fs::write(home.public(), [7; 31]).unwrap();
    assert_fails(&home.run("keys_loadable"), "has 31 bytes, a public key has 32", "makes it again");
    // y = 2 is on no point of the curve.
    let mut no_point = [0; 32];
    no_point[0] = 2;
    fs::write(home.public(), no_point).unwrap();
    assert_fails(&home.run("keys_loadable"), "is not an Ed25519 public key", "makes it again");
    fs::remove_file(home.public()).unwrap();
    assert_fails(&home.run("keys_loadable"), "no public key", "makes it again");
    fs::create_dir(home.public()).unwrap();
    assert_fails(&home.run("keys_loadable"), "cannot be read", "makes it again");
}

fn public_key_of(seed: &[u8; 32]) -> [u8; 32] {
    ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes()
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
