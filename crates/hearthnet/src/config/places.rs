//! Checks of the group and the folders that a node needs of its machine. Nothing is made.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::Config;
use super::mistake::Mistake;
use super::paths::Paths;
use super::setting::Setting;
use crate::failure::Failure;

/// Place that a node could not use.
struct Unusable {
    /// Key of the setting at fault. Empty if the place has none.
    key: &'static str,
    problem: String,
    advice: String,
}

/// Returns the mistakes of the settings that name a group or a folder which `hearthnet run` could not use as this user.
/// `config` is resolved.
///
/// # Errors
///
/// Fails if a default folder is at fault, which has no line in the file.
pub(super) fn check(
    config: &Config,
    paths: &Paths,
    settings: &[Setting],
    text: &str,
) -> Result<Vec<Mistake>, Failure> {
    let mistake = |unusable: Unusable| {
        let Unusable { key, problem, advice } = unusable;
        match settings.iter().find(|setting| setting.key == key) {
            Some(setting) => Ok(Mistake::at((text, setting.span.start), key, problem, advice)),
            None => Err(Failure::error(without_place(key, &problem, &advice))),
        }
    };
    unusable(config, paths).into_iter().map(mistake).collect()
}

fn without_place(key: &str, problem: &str, advice: &str) -> String {
    let field = key.rsplit_once('.').map(|(_, field)| format!("{field}: ")).unwrap_or_default();
    let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
    format!("{field}{problem}{advice}")
}

fn unusable(config: &Config, paths: &Paths) -> Vec<Unusable> {
    let keys_dir = &config.identity.keys_dir;
    let community = match &config.community.community_id {
        Some(id) => config.community_dir(id),
        // The node makes the ID of its own community at its first start.
        None => config.community.state_dir.clone(),
    };
    let folders: [(&str, PathBuf); 3] = [
        ("identity.keys_dir", keys_dir.clone()),
        ("community.state_dir", community),
        ("", paths.data(keys_dir).join("blobs")),
    ];
    let mut all: Vec<_> = folders
        .into_iter()
        .filter_map(|(key, folder)| {
            let error = may_make(&folder).err()?;
            let problem = Failure::io("make the folder", &folder, &error).to_string();
            Some(Unusable { key, problem, advice: String::new() })
        })
        .collect();
    if let Err(error) = obs_facade::check_places(&config.observability) {
        let key = match error.field() {
            "log_group" => "observability.log_group",
            _ => "observability.log_dir",
        };
        all.push(Unusable { key, problem: error.problem().to_owned(), advice: error.advice().to_owned() });
    }
    all
}

/// Returns whether the folder exists, or this user may make it in the nearest folder above that exists. Fails as the system
/// would.
fn may_make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    for above in folder.ancestors() {
        // The working directory, in the system's words.
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match above.metadata() {
            // A link that leads nowhere has the name of the folder.
            Err(error) if error.kind() == ErrorKind::NotFound && above.is_symlink() => {
                return Err(rustix::io::Errno::EXIST.into());
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(there) if !there.is_dir() && above == folder => return Err(rustix::io::Errno::EXIST.into()),
            Ok(there) if !there.is_dir() => return Err(rustix::io::Errno::NOTDIR.into()),
            Ok(_) => return Ok(accessat(CWD, above, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// The check and the system agree.
    #[test]
    fn a_folder_is_refused_as_the_system_refuses_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        symlink("nowhere", dir.path().join("link")).unwrap();
        for name in ["file", "file/a", "file/a/b", "link", "link/a", "a/b/c"] {
            let folder = dir.path().join(name);
            let checked = may_make(&folder).map_err(|error| error.to_string());
            assert!(!dir.path().join("a").exists() && !dir.path().join("nowhere").exists());
            let made = fs::create_dir_all(&folder).map_err(|error| error.to_string());
            assert_eq!(checked, made, "{name}");
            assert_eq!(may_make(&folder).is_ok(), made.is_ok());
        }
    }
}
