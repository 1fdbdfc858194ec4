//! Default data folder: the same one that the `hearthnet` command uses.

use std::process::Command;

use obs_doctor::Config;

/// Returns the default data folder of a process with these variables and no others.
fn data_dir(variables: &[(&str, &str)]) -> String {
    let out = tempfile::NamedTempFile::new().unwrap();
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "data_dir::writes_the_default_data_folder", "--ignored"])
        .env_clear()
        .envs(variables.iter().copied())
        .env("CHILD_OUT", out.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    std::fs::read_to_string(out.path()).unwrap()
}

#[test]
#[ignore = "the other half of a test that needs an environment of its own"]
fn writes_the_default_data_folder() {
    let folder = Config::default().data_dir;
    std::fs::write(std::env::var("CHILD_OUT").unwrap(), folder.display().to_string()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn the_default_data_folder_follows_xdg_then_home() {
    assert_eq!(data_dir(&[("HOME", "/home/ada")]), "/home/ada/.local/share/hearthnet");
    assert_eq!(data_dir(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "/data")]), "/data/hearthnet");
    assert_eq!(data_dir(&[("XDG_DATA_HOME", "/data")]), "/data/hearthnet");
    assert_eq!(
        data_dir(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "data")]),
        "/home/ada/.local/share/hearthnet",
        "a relative value is ignored"
    );
    assert_eq!(data_dir(&[("HOME", "ada")]), "/var/lib/hearthnet", "a relative home is ignored");
}

#[cfg(target_os = "macos")]
#[test]
fn the_default_data_folder_is_in_application_support() {
    assert_eq!(data_dir(&[("HOME", "/Users/ada")]), "/Users/ada/Library/Application Support/hearthnet");
}
