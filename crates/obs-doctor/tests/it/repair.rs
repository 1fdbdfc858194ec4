//! The repair of the key's mode changes the inspected file only.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;

use obs_doctor::Repair;

use crate::child::{NOBODY, give_away, skipped};
use crate::home::{Home, assert_passes, set_mode};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[track_caller]
fn refused(home: &Home, why: &str) {
    let err = Repair::find(&home.config).unwrap_err().to_string();
    assert!(err.contains(why), "{err}");
}

#[test]
fn an_open_key_becomes_0600_and_nothing_else_changes() {
    let home = Home::fresh();
    let content = fs::read(home.seed()).unwrap();
    for wrong in [0o644, 0o640, 0o604, 0o666, 0o777, 0o200, 0o4755, 0o440] {
        set_mode(&home.seed(), wrong);
        let time = fs::metadata(home.seed()).unwrap().modified().unwrap();
        let repair = Repair::find(&home.config).unwrap().unwrap();
        assert!(
            repair.to_string().contains(&format!("device.ed25519 (it has mode {wrong:04o})")),
            "{repair}"
        );
        assert_eq!(mode(&home.seed()), wrong, "finding repairs nothing");
        repair.apply().unwrap();
        assert_eq!(mode(&home.seed()), 0o600);
        assert_eq!(fs::metadata(home.seed()).unwrap().modified().unwrap(), time);
        assert_passes(&home.run("keys_present"), "0600");
    }
    assert_eq!(fs::read(home.seed()).unwrap(), content);
    assert_eq!(mode(&home.public()), 0o644);
}

#[test]
fn a_right_or_missing_key_needs_no_repair() {
    let home = Home::fresh();
    for right in [0o600, 0o400] {
        set_mode(&home.seed(), right);
        assert!(Repair::find(&home.config).unwrap().is_none());
        assert_eq!(mode(&home.seed()), right);
    }
    fs::remove_file(home.seed()).unwrap();
    assert!(Repair::find(&home.config).unwrap().is_none());
}

#[test]
fn a_link_is_never_followed() {
    let home = Home::fresh();
    let target = home.root().join("elsewhere");
    fs::rename(home.seed(), &target).unwrap();
    set_mode(&target, 0o644);
    symlink(&target, home.seed()).unwrap();
    refused(&home, "a symbolic link, which is not followed");
    assert_eq!(mode(&target), 0o644);

    fs::remove_file(home.seed()).unwrap();
    fs::hard_link(&target, home.seed()).unwrap();
    refused(&home, "other names");
    assert_eq!(mode(&target), 0o644);
}

#[test]
fn a_path_changed_after_the_question_is_not_followed() {
    let home = Home::fresh();
    set_mode(&home.seed(), 0o644);
    let repair = Repair::find(&home.config).unwrap().unwrap();
    // Before the answer, another process replaces the key by a link to another file.
    let (moved, victim) = (home.root().join("moved"), home.root().join("victim"));
    fs::write(&victim, "").unwrap();
    set_mode(&victim, 0o644);
    fs::rename(home.seed(), &moved).unwrap();
    symlink(&victim, home.seed()).unwrap();
    repair.apply().unwrap();
    assert_eq!((mode(&victim), mode(&moved)), (0o644, 0o600));

    // The file gets a second name, or another owner.
    fs::remove_file(home.seed()).unwrap();
    fs::rename(&moved, home.seed()).unwrap();
    set_mode(&home.seed(), 0o644);
    let repair = Repair::find(&home.config).unwrap().unwrap();
    fs::hard_link(home.seed(), &moved).unwrap();
    assert!(repair.apply().unwrap_err().to_string().contains("other names"));
    assert_eq!(mode(&moved), 0o644);
}

#[test]
fn a_file_that_is_not_plainly_ours_is_not_changed() {
    let home = Home::fresh();
    fs::remove_file(home.seed()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, home.seed(), rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    set_mode(&home.seed(), 0o644);
    refused(&home, "it is not a file");
    fs::remove_file(home.seed()).unwrap();
    fs::create_dir(home.seed()).unwrap();
    refused(&home, "it is not a file");

    let home = Home::fresh();
    set_mode(&home.seed(), 0o644);
    if chown(home.seed(), Some(1234), None).is_err() {
        return skipped("a_file_that_is_not_plainly_ours_is_not_changed");
    }
    refused(&home, "belongs to uid 1234");
    assert_eq!(mode(&home.seed()), 0o644);
    // Root repairs the key of the user who owns the folder.
    give_away(home.root());
    Repair::find(&home.config).unwrap().unwrap().apply().unwrap();
    let meta = fs::metadata(home.seed()).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o7777), (NOBODY, 0o600));
}
