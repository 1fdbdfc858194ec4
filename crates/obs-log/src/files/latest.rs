//! `latest.log`: a symbolic link to the file that today's lines go to.
//!
//! All processes of a folder keep the link. Each points it to the file of today by the clock, which they share, and never back
//! to an earlier part of the day.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process;

use crate::files::attributes;
use crate::files::name::DayFileName;

const NAME: &str = "latest.log";

/// State of the link, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Latest {
    pointed: Option<DayFileName>,
}

/// Kind of file that has the name of the link.
enum Found {
    Nothing,
    /// A link of ours, or one that could be.
    Link(DayFileName),
    Foreign,
}

impl Latest {
    /// Points the link in `dir` to `name`. Where that is refused, there is no link, and it is not tried again for this file.
    pub(super) fn point_to(&mut self, dir: &Path, name: DayFileName) {
        if self.pointed != Some(name) {
            self.pointed = Some(name);
            let _ = point(dir, name);
        }
    }
}

fn point(dir: &Path, name: DayFileName) -> io::Result<()> {
    // The link could not be replaced tomorrow.
    if attributes::keeps_all(dir) {
        return Ok(());
    }
    let link = dir.join(NAME);
    match find(&link) {
        Found::Nothing => symlink(name.to_string(), link),
        Found::Link(there) if there == name || is_later_part(dir, there, name) => Ok(()),
        Found::Link(_) => replace(dir, name),
        Found::Foreign => Ok(()),
    }
}

fn find(link: &Path) -> Found {
    match fs::read_link(link) {
        Ok(target) => {
            let name = target.to_str().and_then(DayFileName::parse);
            name.map_or(Found::Foreign, Found::Link)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        Err(_) => Found::Foreign,
    }
}

/// Whether another process writes to a later part of the day already.
fn is_later_part(dir: &Path, there: DayFileName, name: DayFileName) -> bool {
    there.day == name.day && there.part > name.part && dir.join(there.to_string()).exists()
}

/// Replaces the link by a rename, so that the name is never missing.
fn replace(dir: &Path, name: DayFileName) -> io::Result<()> {
    let draft = dir.join(format!(".{NAME}.{}", process::id()));
    let target = name.to_string();
    symlink(&target, &draft).or_else(|_| {
        // A process of the same number may have died in between.
        fs::read_link(&draft).and_then(|_| fs::remove_file(&draft))?;
        symlink(&target, &draft)
    })?;
    fs::rename(&draft, dir.join(NAME)).inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::IoSlice;
    use std::path::PathBuf;

    use crate::config::Config;
    use crate::files::DayFiles;

    const MAY_26: i32 = 20_599;

    fn files(dir: &Path) -> DayFiles {
        DayFiles::of(&Config::new(dir).latest_link(true).max_bytes(1 << 20))
    }

    fn target(dir: &Path) -> PathBuf {
        fs::read_link(dir.join(NAME)).unwrap()
    }

    fn append(files: &mut DayFiles, day: i32, bytes: usize) {
        let line = "x".repeat(bytes - 1) + "\n";
        files.append(day, &mut [IoSlice::new(line.as_bytes())], &mut |_| {}).unwrap();
    }

    #[test]
    fn the_link_goes_with_the_day_and_its_parts() {
        let dir = tempfile::tempdir().unwrap();
        let mut one = files(dir.path());
        one.prepare(MAY_26).unwrap();
        assert_eq!(target(dir.path()), Path::new("2026-05-26.log"));
        for _ in 0..2 {
            append(&mut one, MAY_26, 700 << 10);
            one.link_latest(MAY_26);
        }
        assert_eq!(target(dir.path()), Path::new("2026-05-26.1.log"));
        one.begin_day(MAY_26 + 1).unwrap();
        assert_eq!(target(dir.path()), Path::new("2026-05-27.log"));
        // A line of yesterday comes late.
        append(&mut one, MAY_26, 10);
        one.link_latest(MAY_26 + 1);
        assert_eq!(target(dir.path()), Path::new("2026-05-27.log"));
        // The clock is set back.
        one.begin_day(MAY_26 - 300).unwrap();
        assert_eq!(target(dir.path()), Path::new("2025-07-30.log"));
        let drafts = fs::read_dir(dir.path()).unwrap().flatten();
        assert_eq!(drafts.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count(), 0);
    }

    #[test]
    fn processes_of_a_folder_agree_on_the_latest_part() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (files(dir.path()), files(dir.path()));
        other.prepare(MAY_26).unwrap();
        for _ in 0..2 {
            append(&mut one, MAY_26, 700 << 10);
        }
        one.link_latest(MAY_26);
        assert_eq!(target(dir.path()), Path::new("2026-05-26.1.log"));
        files(dir.path()).prepare(MAY_26).unwrap();
        other.latest = Some(Latest::default());
        other.link_latest(MAY_26);
        assert_eq!(target(dir.path()), Path::new("2026-05-26.1.log"));
        fs::remove_file(dir.path().join("2026-05-26.1.log")).unwrap();
        other.latest = Some(Latest::default());
        other.link_latest(MAY_26);
        assert_eq!(target(dir.path()), Path::new("2026-05-26.log"));
    }

    #[test]
    fn a_removed_folder_gets_its_link_again() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut files = files(&log);
        files.prepare(MAY_26).unwrap();
        fs::remove_dir_all(&log).unwrap();
        files.notice_changes();
        append(&mut files, MAY_26, 10);
        files.link_latest(MAY_26);
        assert_eq!(fs::read_to_string(log.join(NAME)).unwrap().len(), 10);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join(NAME);
        for foreign in ["/var/log/syslog", "../2026-05-25.log", "notes.log"] {
            symlink(foreign, &link).unwrap();
            files(dir.path()).prepare(MAY_26).unwrap();
            assert_eq!(target(dir.path()), Path::new(foreign));
            fs::remove_file(&link).unwrap();
        }
        fs::write(&link, "mine").unwrap();
        files(dir.path()).prepare(MAY_26).unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "mine");
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        files(dir.path()).prepare(MAY_26).unwrap();
        assert!(link.is_dir());
        DayFiles::new(dir.path()).prepare(MAY_26).unwrap();
    }

    #[test]
    fn a_process_that_died_while_it_replaced_the_link_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        symlink("2026-05-25.log", dir.path().join(NAME)).unwrap();
        let draft = dir.path().join(format!(".{NAME}.{}", process::id()));
        symlink("2026-05-25.log", &draft).unwrap();
        files(dir.path()).prepare(MAY_26).unwrap();
        assert_eq!(target(dir.path()), Path::new("2026-05-26.log"));
        assert!(draft.symlink_metadata().is_err());
    }
}
