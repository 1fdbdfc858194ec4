//! Disk whose every operation fails.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use obs_doctor::machine::{Files, Machine};

/// Files whose every operation fails with this error.
pub(super) struct Broken(pub(super) ErrorKind);

impl Files for Broken {
    fn open(&self, _: &Path) -> io::Result<File> {
        Err(match self.0 {
            ErrorKind::Other => io::Error::from_raw_os_error(5),
            kind => kind.into(),
        })
    }
    fn open_no_follow(&self, path: &Path) -> io::Result<File> {
        self.open(path)
    }
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.open(path)?.metadata()
    }
    fn list(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        self.open(path).map(|_| Vec::new())
    }
}

pub(super) fn broken_disk() -> Machine {
    Machine::default().files(Broken(ErrorKind::Other))
}
