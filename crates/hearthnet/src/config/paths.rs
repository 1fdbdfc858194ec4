//! Default places of a node's files.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::failure::Failure;

/// Folders of this user's node. On Linux they come from the `XDG_*` variables, of which only absolute values count.
/// Other platforms have their own folders.
///
/// A folder without a place is an error only for the commands that need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    config: Option<PathBuf>,
    data: Option<PathBuf>,
    state: Option<PathBuf>,
    /// Folders that the command needs.
    needed: &'static [Folder],
}

/// Folder that a command may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    Keys,
    Communities,
    Log,
}

impl Folder {
    const ALL: &[Folder] = &[Folder::Keys, Folder::Communities, Folder::Log];
}

impl Paths {
    pub(crate) fn discover() -> Paths {
        // These platforms have fixed folders and ignore the XDG variables.
        if cfg!(any(windows, target_os = "macos")) {
            return Paths::of_platform();
        }
        let place = |variable, below_home| {
            // The XDG specification says to ignore relative values.
            let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
            set.or_else(|| home().map(|home| home.join(below_home))).map(|base| base.join("hearthnet"))
        };
        Paths {
            config: place("XDG_CONFIG_HOME", ".config"),
            data: place("XDG_DATA_HOME", ".local/share"),
            state: place("XDG_STATE_HOME", ".local/state"),
            needed: Folder::ALL,
        }
    }

    fn of_platform() -> Paths {
        // A relative home would give each working folder its own node.
        let dirs = ProjectDirs::from("", "", "hearthnet").filter(|dirs| dirs.data_dir().is_absolute());
        let dirs = dirs.as_ref();
        Paths {
            config: dirs.map(|dirs| dirs.config_dir().to_owned()),
            data: dirs.map(|dirs| dirs.data_dir().to_owned()),
            state: dirs.map(|dirs| dirs.state_dir().unwrap_or(dirs.data_local_dir()).to_owned()),
            needed: Folder::ALL,
        }
    }

    /// Returns the same places for a command that needs the `needed` folders only.
    pub(crate) fn needing(self, needed: &'static [Folder]) -> Paths {
        Paths { needed, ..self }
    }

    pub(crate) fn needs(&self, folder: Folder) -> bool {
        self.needed.contains(&folder)
    }

    #[cfg(test)]
    pub(crate) fn under(home: &Path) -> Paths {
        let place = |name| Some(home.join(name));
        Paths { config: place("config"), data: place("data"), state: place("state"), needed: Folder::ALL }
    }

    pub(crate) fn config_file(&self) -> Result<PathBuf, Failure> {
        let folder = self
            .config
            .as_ref()
            .ok_or_else(|| missing("the configuration", "XDG_CONFIG_HOME", "name the file with --config"))?;
        Ok(folder.join("config.toml"))
    }

    pub(crate) fn log(&self) -> Result<PathBuf, Failure> {
        let fix = "set `[observability] log_dir` to an absolute path";
        self.state
            .as_ref()
            .map(|state| state.join("log"))
            .ok_or_else(|| missing("the log", "XDG_STATE_HOME", fix))
    }

    pub(crate) fn keys(&self) -> Result<PathBuf, Failure> {
        let fix = "set `[identity] keys_dir` to an absolute path";
        self.data
            .as_ref()
            .map(|data| data.join("keys"))
            .ok_or_else(|| missing("the keys", "XDG_DATA_HOME", fix))
    }

    pub(crate) fn communities(&self) -> Result<PathBuf, Failure> {
        let fix = "set `[community] state_dir` to an absolute path";
        let data = self.data.as_ref().ok_or_else(|| missing("the communities", "XDG_DATA_HOME", fix))?;
        Ok(data.join("communities"))
    }

    /// Returns the data folder, else the folder that holds `keys_dir`.
    pub(crate) fn data<'a>(&'a self, keys_dir: &'a Path) -> &'a Path {
        self.data.as_deref().or_else(|| keys_dir.parent()).unwrap_or(keys_dir)
    }
}

fn missing(what: &str, variable: &str, fix: &str) -> Failure {
    Failure::error(format!("no folder for {what}: set HOME to an absolute path, or {variable}, or {fix}"))
}

/// Returns the home folder. A relative HOME does not count: each working folder would have a node of its own.
fn home() -> Option<PathBuf> {
    let base = directories::BaseDirs::new()?;
    Some(base.home_dir().to_owned()).filter(|home| home.is_absolute())
}

/// Resolves a `path` of the configuration `file`: `~/` is the home folder, and a relative path is relative to the
/// folder of the file.
pub(crate) fn resolve(path: &Path, file: &Path) -> Result<PathBuf, Failure> {
    let Ok(rest) = path.strip_prefix("~") else {
        return Ok(file.parent().unwrap_or(Path::new("")).join(path));
    };
    home().map(|home| home.join(rest)).ok_or_else(|| {
        let path = path.display();
        Failure::error(format!(
            "{path}: no home folder: set HOME to an absolute path, or write an absolute path"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_starts_at_the_folder_of_the_file() {
        let file = Path::new("/etc/hearthnet/config.toml");
        assert_eq!(resolve(Path::new("keys"), file).unwrap(), Path::new("/etc/hearthnet/keys"));
        assert_eq!(resolve(Path::new("/srv/keys"), file).unwrap(), Path::new("/srv/keys"));
    }
}
