//! `community_present`.

use std::fs;

use crate::home::{Home, assert_fails, assert_passes, node_id};

const NAME: &str = "community_present";

#[test]
fn a_manifest_of_the_community_passes() {
    let home = Home::fresh();
    assert_passes(&home.run(NAME), &node_id());
}

#[test]
fn without_a_configured_id_every_community_is_checked() {
    let mut home = Home::fresh();
    home.config.community_id = None;
    assert_passes(&home.run(NAME), &node_id());
    home.make_community("ed25519:other");
    assert_passes(&home.run(NAME), "2 communities");
    fs::remove_file(home.config.communities_dir.join("ed25519:other/manifest.json")).unwrap();
    assert_fails(&home.run(NAME), "no community manifest", "run `hearthnet init`");
}

#[test]
fn an_id_that_is_a_path_is_refused() {
    let mut home = Home::fresh();
    for hostile in ["../keys", "..", "/etc", "a/b", "a\u{0}b", ""] {
        home.config.community_id = Some(hostile.to_owned());
        assert_fails(&home.run(NAME), "cannot be the ID", "set `[community] community_id`");
        assert_fails(&home.run("event_log_writable"), "cannot be the ID", "set `[community] community_id`");
    }
}
