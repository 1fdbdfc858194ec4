//! Day files that are renamed, removed, torn, full or old.

use super::*;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

const MAY_26: i32 = 20_599;

fn file_name(day: i32) -> String {
    DayFileName::first_of(day).to_string()
}

fn append(files: &mut DayFiles, day: i32, lines: &[u8]) {
    files.append(day, &mut [IoSlice::new(lines)], &mut |_| {}).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_last_14_days_and_every_foreign_file_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = [
        "2020-01-01.log.bak",
        "2020-1-1.log",
        "audit-2020-01-01.log",
        "2020-01-01.txt",
        // Names that logrotate gives.
        "2020-01-01.log.1",
        "2020-01-01.log.2.gz",
        "2020-01-01.log-20200102",
        "2020-01-01.log-20200102.gz",
        "2020-01-01-20200102.log",
        "2020-01-01.0.log",
    ];
    for name in foreign {
        fs::write(dir.path().join(name), "keep").unwrap();
    }
    fs::create_dir(dir.path().join("2020-01-02.log")).unwrap();
    symlink("/etc/hostname", dir.path().join("2020-01-03.log")).unwrap();
    for day in MAY_26 - 16..=MAY_26 {
        fs::write(dir.path().join(file_name(day)), "{}\n").unwrap();
    }
    for _restart in 0..2 {
        DayFiles::new(dir.path()).prepare(MAY_26).unwrap();
        let ours = names(dir.path()).into_iter().filter(|name| name.starts_with("2026")).collect::<Vec<_>>();
        assert_eq!(ours.len(), 14);
        assert_eq!(ours[0], "2026-05-13.log");
        assert_eq!(names(dir.path()).len(), 14 + foreign.len() + 2);
    }
}

#[test]
fn a_start_60_days_ahead_keeps_the_newest_14_days_with_all_their_parts() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut expected = Vec::new();
    for day in MAY_26 - 15..=MAY_26 {
        let name = DayFileName::first_of(day);
        let packed = DayFileName { compressed: true, ..name };
        for file in [name.next_part().to_string(), packed.to_string()] {
            fs::write(path(&file), "{}\n").unwrap();
            expected.extend((day > MAY_26 - 14).then_some(file));
        }
    }
    expected.sort();
    for _restart in 0..3 {
        let mut files = DayFiles { compress: true, ..DayFiles::new(dir.path()) };
        files.retention.look(MAY_26 + 60, Instant::now());
        files.remove_old();
        assert_eq!(names(dir.path()), expected);
    }
}

#[test]
fn a_hook_can_still_open_a_file_that_is_too_old() {
    use std::sync::Mutex;

    static OPENED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    set_removal_hook(|path| {
        assert!(fs::read(path).is_ok());
        OPENED.lock().unwrap().push(path.to_owned());
        panic!("a hook that panics");
    });
    let dir = tempfile::tempdir().unwrap();
    for day in MAY_26 - 15..=MAY_26 {
        fs::write(dir.path().join(DayFileName::first_of(day).to_string()), "{}\n").unwrap();
    }
    let mut files = DayFiles::new(dir.path());
    files.retention.look(MAY_26, Instant::now());
    files.remove_old();
    // Other tests of this process remove files too.
    let mut opened = OPENED.lock().unwrap().clone();
    opened.retain(|path| path.starts_with(dir.path()));
    opened.sort();
    assert_eq!(opened, ["2026-05-11.log", "2026-05-12.log"].map(|name| dir.path().join(name)));
    assert_eq!(names(dir.path()).len(), 14);
}

#[test]
fn a_clock_that_goes_back_removes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = DayFiles::new(dir.path());
    files.begin_day(MAY_26).unwrap();
    files.begin_day(MAY_26 - 300).unwrap();
    assert_eq!(names(dir.path()).len(), 2);
}

#[test]
fn new_folders_and_files_are_private_and_existing_ones_keep_their_mode() {
    let dir = tempfile::tempdir().unwrap();
    let theirs = dir.path().join("shared");
    fs::create_dir(&theirs).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
    let ours = theirs.join("a/b");
    DayFiles::new(&ours).prepare(MAY_26).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&theirs), 0o755);
    assert_eq!((mode(&theirs.join("a")), mode(&ours)), (0o700, 0o700));
    assert_eq!(mode(&ours.join("2026-05-26.log")), 0o600);
}

#[test]
fn an_error_names_the_bad_folder() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let linked = dir.path().join("linked");
    fs::create_dir(&linked).unwrap();
    symlink("/etc/hostname", linked.join("2026-05-26.log")).unwrap();
    for bad in [file.clone(), file.join("below"), PathBuf::from("/proc/nowhere"), linked] {
        let error = DayFiles::new(&bad).prepare(MAY_26).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Folder, "dir"));
        assert!(error.to_string().contains(&bad.display().to_string()), "{error}");
    }
}

#[test]
fn a_folder_without_a_name_is_refused() {
    let no_name = Path::new("");
    for error in [DayFiles::new(no_name).prepare(MAY_26).unwrap_err(), check_folder(no_name).unwrap_err()] {
        assert_eq!((error.kind(), error.problem()), (ErrorKind::Folder, "no folder is named"));
    }
}

#[test]
fn a_torn_tail_does_not_spoil_the_next_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("2026-05-26.log");
    for (left, expected) in [
        // Not a line of this crate: kept, and ended.
        ("{\"whole\":1}\n{\"torn", "{\"whole\":1}\n{\"torn\n{}\n"),
        ("{\"whole\":1}\n{\"ts\":\"2026-05-26T0", "{\"whole\":1}\n{}\n"),
        ("{\"t", "{}\n"),
    ] {
        fs::write(&path, left).unwrap();
        let mut files = DayFiles::new(dir.path());
        append(&mut files, MAY_26, b"{}\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(files.take_torn(), u64::from(!left.ends_with("torn")));
    }
}

#[test]
fn a_line_that_another_process_has_torn_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("2026-05-26.log");
    let mut files = DayFiles::new(dir.path());
    append(&mut files, MAY_26, b"1\n");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"other\n{\"ts\":\"20").unwrap();
    append(&mut files, MAY_26, b"2\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\nother\n2\n");
}

#[test]
fn a_lock_that_another_process_keeps_is_an_error_and_no_hang() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = DayFiles::new(dir.path());
    files.begin_day(MAY_26).unwrap();
    let other = File::open(dir.path().join("2026-05-26.log")).unwrap();
    other.lock().unwrap();
    let waited = files.append(MAY_26, &mut [IoSlice::new(b"1\n")], &mut |_| {});
    assert_eq!(waited.unwrap_err().written, 0);
    other.unlock().unwrap();
    append(&mut files, MAY_26, b"1\n");
}

#[test]
fn a_full_file_is_followed_by_the_next_part_of_its_day() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    for _restart in 0..2 {
        let mut files = DayFiles { max_bytes: 4, ..DayFiles::new(dir.path()) };
        append(&mut files, MAY_26, b"1\n");
        append(&mut files, MAY_26, b"2\n");
        append(&mut files, MAY_26, b"too long for any\n");
    }
    assert_eq!(
        (read("2026-05-26.log"), read("2026-05-26.1.log")),
        ("1\n2\n".into(), "too long for any\n".into())
    );
    assert_eq!(
        (read("2026-05-26.2.log"), read("2026-05-26.3.log")),
        ("1\n2\n".into(), "too long for any\n".into())
    );
    assert_eq!(names(dir.path()).len(), 4);
    // The parts of a day age together.
    let mut files = DayFiles::new(dir.path());
    (0..=14).for_each(|day| files.begin_day(MAY_26 + day).unwrap());
    let names = names(dir.path());
    assert_eq!((names.len(), names[0].as_str()), (14, "2026-05-27.log"));
}

#[test]
fn a_folder_or_link_named_like_a_part_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("2026-05-26.2.log")).unwrap();
    symlink("/etc/hostname", path("2026-05-26.9.log")).unwrap();
    fs::write(path("2026-05-26.4294967295.log"), "foreign\n").unwrap();
    let mut files = DayFiles { max_bytes: 4, ..DayFiles::new(dir.path()) };
    for line in [&b"1\n"[..], b"2\n", b"3\n", b"4\n", b"5\n"] {
        append(&mut files, MAY_26, line);
    }
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    let parts = ["2026-05-26.log", "2026-05-26.1.log", "2026-05-26.3.log"].map(read);
    assert_eq!(parts, ["1\n2\n", "3\n4\n", "5\n"]);
    // The last possible part takes every line, even beyond the limit.
    let last = format!("2026-05-26.{LAST_PART}.log");
    fs::write(path(&last), "full\n").unwrap();
    append(&mut DayFiles { max_bytes: 4, ..DayFiles::new(dir.path()) }, MAY_26, b"6\n");
    assert_eq!((read(&last), read("2026-05-26.4294967295.log")), ("full\n6\n".into(), "foreign\n".into()));
}

#[test]
fn a_file_is_made_again_after_rename_delete_and_rmdir() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    let mut files = DayFiles::new(&folder);
    let mut write = |line: &str| {
        files.notice_changes();
        append(&mut files, MAY_26, line.as_bytes());
    };
    let path = folder.join("2026-05-26.log");
    write("1\n");
    fs::rename(&path, folder.join("moved")).unwrap();
    write("2\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
    fs::remove_file(&path).unwrap();
    write("3\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
    fs::remove_dir_all(&folder).unwrap();
    write("4\n");
    write("5\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "4\n5\n");
}

/// The check of a folder says what the set-up would say, and makes nothing.
#[test]
fn a_folder_is_checked_in_the_words_of_the_set_up() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    symlink("nowhere", dir.path().join("link")).unwrap();
    for name in ["file", "file/a", "link", "link/a", "a/b", "."] {
        let folder = dir.path().join(name);
        let before = names(dir.path());
        let checked = check_folder(&folder);
        assert_eq!(names(dir.path()), before);
        assert_eq!(checked, DayFiles::new(&folder).prepare(MAY_26), "{name}");
    }
}
