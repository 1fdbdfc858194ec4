//! `community_present`.

use std::fs;

use crate::home::{Home, assert_fails, assert_passes, node_id};

const NAME: &str = "community_present";

#[test]
fn d2_a_manifest_of_its_own_passes() {
    let home = Home::fresh();
    assert_passes(&home.run(NAME), &node_id());
}

#[test]
fn d2_without_a_configured_id_every_folder_counts() {
    let mut home = Home::fresh();
    home.config.community_id = None;
    assert_passes(&home.run(NAME), &node_id());
    home.make_community("ed25519:other");
    assert_passes(&home.run(NAME), "2 communities");
    fs::remove_file(home.config.communities_dir.join("ed25519:other/manifest.json")).unwrap();
    assert_fails(&home.run(NAME), "no community manifest", "run `hearthnet init`");
}

#[test]
fn d2_missing_unreadable_unparsable_and_foreign_are_told_apart() {
    let home = Home::fresh();
    let path = home.manifest();
    fs::write(&path, "{").unwrap();
    assert_fails(&home.run(NAME), "is not JSON", "restore the manifest");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_fails(&home.run(NAME), "is not text", "restore the manifest");
    fs::write(&path, "[]").unwrap();
    assert_fails(&home.run(NAME), "has no `community_id`", "restore the manifest");
    fs::write(&path, r#"{"community_id":"ed25519:another"}"#).unwrap();
    assert_fails(&home.run(NAME), "of another community: ed25519:another", "restore the manifest");
    fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
    assert_fails(&home.run(NAME), "larger than 1 MiB", "restore the manifest");
    fs::remove_file(&path).unwrap();
    assert_fails(&home.run(NAME), "no community manifest at", "run `hearthnet init`");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_fails(&home.run(NAME), "is not a file", "restore the manifest");
}

#[test]
fn d2_no_community_at_all_fails() {
    let mut home = Home::empty();
    home.config.community_id = None;
    assert_fails(&home.run(NAME), "no communities folder", "run `hearthnet init`");
    fs::create_dir(&home.config.communities_dir).unwrap();
    assert_fails(&home.run(NAME), "no community in", "run `hearthnet init`");
    fs::remove_dir(&home.config.communities_dir).unwrap();
    fs::write(&home.config.communities_dir, "").unwrap();
    assert_fails(&home.run(NAME), "cannot be read", "a folder that the node's user can read");
}

#[test]
fn d2_an_id_is_not_trusted_as_a_path() {
    let mut home = Home::fresh();
    for hostile in ["../keys", "..", "/etc", "a/b", "a\u{0}b", ""] {
        home.config.community_id = Some(hostile.to_owned());
        assert_fails(&home.run(NAME), "cannot be the ID", "set `[community] community_id`");
        assert_fails(&home.run("event_log_writable"), "cannot be the ID", "set `[community] community_id`");
    }
}
