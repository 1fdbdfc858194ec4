//! Where a node's files live when its configuration does not say otherwise.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::failure::Failure;

/// The folders of this user's node: the `XDG_*` variables on Linux (only absolute values count), the
/// platform's own folders elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) config_file: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
}

impl Paths {
    pub(crate) fn discover() -> Result<Paths, Failure> {
        // Of a HOME that is no absolute path, each folder that a command is called in would have a node of its own.
        let dirs = ProjectDirs::from("", "", "hearthnet").filter(|dirs| dirs.data_dir().is_absolute());
        let dirs = dirs.ok_or_else(|| {
            Failure::error(
                "no home folder: set HOME to an absolute path, or XDG_CONFIG_HOME, XDG_DATA_HOME and XDG_STATE_HOME",
            )
        })?;
        Ok(Paths {
            config_file: dirs.config_dir().join("config.toml"),
            data: dirs.data_dir().to_owned(),
            log: dirs.state_dir().unwrap_or(dirs.data_local_dir()).join("log"),
        })
    }

    #[cfg(test)]
    pub(crate) fn under(home: &Path) -> Paths {
        Paths {
            config_file: home.join("config/config.toml"),
            data: home.join("data"),
            log: home.join("state/log"),
        }
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    pub(crate) fn communities(&self) -> PathBuf {
        self.data.join("communities")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.data.join("blobs")
    }
}

/// `path` as it was meant in `file`: `~/` is the home folder, a relative path is beside the file.
pub(crate) fn resolve(path: &Path, file: &Path) -> PathBuf {
    match (path.strip_prefix("~"), directories::BaseDirs::new()) {
        (Ok(rest), Some(base)) => base.home_dir().join(rest),
        _ => file.parent().unwrap_or(Path::new("")).join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_beside_the_file_and_an_absolute_one_stays() {
        let file = Path::new("/etc/hearthnet/config.toml");
        assert_eq!(resolve(Path::new("keys"), file), Path::new("/etc/hearthnet/keys"));
        assert_eq!(resolve(Path::new("/srv/keys"), file), Path::new("/srv/keys"));
    }
}
