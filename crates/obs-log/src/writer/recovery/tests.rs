//! Hand-over files as dead processes leave them, and damaged ones.

use super::*;

use crate::backtrace::Trace;
use crate::clock::DAY_NANOS;
use crate::config::redactor::Redactor;
use crate::journal::format::{HEADER_BYTES, SITE_BYTES};
use crate::json::Encoder;
use crate::queue::Queue;
use crate::record::encode::{Found, RecordEncoder};
use crate::record::identity::Identity;
use log::kv::{Key, Value};
use log::{Level, Record};
use proptest::prelude::*;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// 2024-02-28T00:00:00Z.
const FEB_28: i64 = 19_781 * DAY_NANOS;

fn line(nanos: i64, message: &str) -> Vec<u8> {
    let mut record = Record::builder();
    let mut encoder = Encoder::default();
    record.level(Level::Info);
    let redact = Redactor::default();
    let encoded = encoder.encode(nanos, &record.args(format_args!("{message}")).build(), &redact);
    encoded.unwrap().to_vec()
}

/// Returns a record of the line that `rendered` returns.
fn record(text: &str) -> Vec<u8> {
    record_with("text", text)
}

fn record_with(key: &'static str, text: &str) -> Vec<u8> {
    with_record(key, text, |record, encoder| {
        let (mut records, redact) = (RecordEncoder::default(), Redactor::default());
        let name = encoder.names.find_static("test");
        let address = encoder.names.address(name).expect("it is short");
        let identity = Identity::of(address, record, 1).expect("it has a place");
        records.learn(identity, encoder, name, record, &redact);
        let Found::Site(site) = records.find(&identity) else { panic!("it is learnt") };
        assert!(records.encode(site, encoder, record, &redact));
        records.last().1.to_vec()
    })
}

fn rendered(nanos: i64, text: &str) -> Vec<u8> {
    rendered_with("text", nanos, text)
}

fn rendered_with(key: &'static str, nanos: i64, text: &str) -> Vec<u8> {
    with_record(key, text, |record, encoder| {
        let name = encoder.names.find_static("test");
        encoder.encode_as(name, nanos, record, &Redactor::default()).unwrap().to_vec()
    })
}

fn with_record<R>(key: &'static str, text: &str, run: impl FnOnce(&Record<'_>, &mut Encoder) -> R) -> R {
    let fields = [(Key::from_str_static(key), Value::from(text)), (Key::from_str_static("n"), 7.into())];
    let fields = &fields.as_slice();
    let mut builder = Record::builder();
    builder.level(Level::Info).line(Some(1)).key_values(fields);
    run(&builder.args(format_args!("in a record")).build(), &mut Encoder::default())
}

/// Leaves a file as a process that was killed does.
fn leave(dir: &Path, lines: &[(i64, &str)], before_death: impl FnOnce(&Queue)) {
    let lines: Vec<_> = lines.iter().map(|(nanos, message)| (*nanos, line(*nanos, message))).collect();
    leave_staged(dir, &lines, before_death);
}

fn leave_staged(dir: &Path, lines: &[(i64, Vec<u8>)], before_death: impl FnOnce(&Queue)) {
    let queue = Queue::new(journal::create(dir, 1 << 20).unwrap());
    for (nanos, line) in lines {
        assert!(queue.append(0, Level::Info, *nanos, line, Duration::ZERO));
    }
    before_death(&queue);
    drop(queue);
    wait_for_locks(dir);
}

/// Waits until no child that another test forked has the lock any more. Such a child keeps it until its `exec`.
fn wait_for_locks(dir: &Path) {
    let is_held = |path: &PathBuf| {
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.is_ok_and(|file| journal::file::try_lock(&file).is_err())
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while left_files(dir).iter().any(is_held) {
        assert!(Instant::now() < deadline, "a lock is never given back");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn left_files(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_none()).collect()
}

fn recovered(dir: &Path) -> Recovered {
    let (recovered, result) = recover(&mut DayFiles::new(dir));
    result.unwrap();
    recovered
}

fn read(dir: &Path, day: &str) -> Vec<u8> {
    fs::read(dir.join(format!("2024-02-{day}.log"))).unwrap()
}

#[test]
fn each_line_goes_to_the_file_of_its_day_once() {
    let dir = tempfile::tempdir().unwrap();
    let lines = [(FEB_28, "a"), (FEB_28 + DAY_NANOS - 1, "b"), (FEB_28 + DAY_NANOS, "c")];
    leave(dir.path(), &lines, |_| {
        // Its owner is alive, so it is left alone.
        assert_eq!(recovered(dir.path()), Recovered::default());
    });
    assert_eq!(recovered(dir.path()), Recovered { lines: 3, torn: 0 });
    assert_eq!(recovered(dir.path()), Recovered::default());
    let [a, b, c] = lines.map(|(nanos, message)| line(nanos, message));
    assert_eq!((read(dir.path(), "28"), read(dir.path(), "29")), ([a, b].concat(), c));
    assert!(left_files(dir.path()).is_empty());
}

#[test]
fn torn_lines_are_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    leave(dir.path(), &[(FEB_28, "a"), (FEB_28, "b"), (FEB_28, "c")], |_| {});
    let file = OpenOptions::new().write(true).open(&left_files(dir.path())[0]).unwrap();
    let first_chunk = HEADER_BYTES as u64;
    // A line that was begun and not accepted, and a page that a crash of the machine has lost.
    file.write_all_at(&4_u64.to_ne_bytes(), first_chunk + 16).unwrap();
    file.write_all_at(&[0; 8], first_chunk + 64 + line(FEB_28, "a").len() as u64).unwrap();
    assert_eq!(recovered(dir.path()), Recovered { lines: 2, torn: 2 });
    assert_eq!(read(dir.path(), "28"), [line(FEB_28, "a"), line(FEB_28, "c")].concat());
    assert!(left_files(dir.path()).is_empty());
}

#[test]
fn a_record_is_rendered_by_the_sites_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let texts = ["a", "\u{1}\"", "some text that is not short"];
    leave_staged(dir.path(), &texts.map(|text| (FEB_28, record(text))), |queue| {
        // A site that is registered while the file is in use.
        let late = record_with("a key of no other test", "late");
        assert!(queue.append(0, Level::Info, FEB_28, &late, Duration::ZERO));
    });
    assert_eq!(recovered(dir.path()), Recovered { lines: 4, torn: 0 });
    let late = rendered_with("a key of no other test", FEB_28, "late");
    assert_eq!(read(dir.path(), "28"), [texts.map(|text| rendered(FEB_28, text)).concat(), late].concat());
    // A crash of the machine has lost the sites.
    leave_staged(dir.path(), &[(FEB_28, record("a")), (FEB_28, line(FEB_28, "b"))], |_| {});
    let file = OpenOptions::new().write(true).open(&left_files(dir.path())[0]).unwrap();
    let end = file.metadata().unwrap().len();
    file.write_all_at(&vec![0; SITE_BYTES], end - SITE_BYTES as u64).unwrap();
    assert_eq!(recovered(dir.path()), Recovered { lines: 1, torn: 1 });
}

/// A write has no room for it behind records.
#[test]
fn a_line_that_is_longer_than_any_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let text = "\u{1}".repeat(900);
    let shown = rendered(FEB_28, &text);
    let count = (188 << 10) / shown.len();
    let mut long = line(FEB_28, &"x".repeat(100_000));
    long.truncate(long.len() - 3);
    long.resize(220_000, b'x');
    long.extend_from_slice(b"\"}\n");
    leave_staged(dir.path(), &vec![(FEB_28, record(&text)); count], |queue| {
        assert!(queue.append(0, Level::Info, FEB_28, &long, Duration::ZERO));
    });
    assert_eq!(recovered(dir.path()), Recovered { lines: count as u64, torn: 1 });
    assert_eq!(read(dir.path(), "28"), shown.repeat(count));
}

#[test]
fn files_of_a_process_are_recovered_in_the_order_in_which_it_made_them() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<_> = (8..13).map(|number| (FEB_28, line(FEB_28, &format!("file {number}")))).collect();
    for (at, line) in lines.iter().enumerate() {
        leave_staged(dir.path(), std::slice::from_ref(line), |_| {});
        // Has an extension meanwhile, so that it is told from the next one.
        fs::rename(&left_files(dir.path())[0], dir.path().join(format!("{at}.kept"))).unwrap();
    }
    for at in 0..lines.len() {
        let name = format!(".handover-{}-0-{}", std::process::id(), 8 + at);
        fs::rename(dir.path().join(format!("{at}.kept")), dir.path().join(name)).unwrap();
    }
    assert_eq!(recovered(dir.path()).lines, 5);
    let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
    assert_eq!(read(dir.path(), "28"), lines.concat());
}

#[test]
fn a_file_of_the_version_before_is_recovered() {
    let dir = tempfile::tempdir().unwrap();
    leave(dir.path(), &[(FEB_28, "a"), (FEB_28, "b")], |_| {});
    let file = OpenOptions::new().write(true).open(&left_files(dir.path())[0]).unwrap();
    file.write_all_at(b"obs-log1", 0).unwrap();
    // It had no sites.
    file.write_all_at(&[0; 8], 56).unwrap();
    file.set_len(file.metadata().unwrap().len() - SITE_BYTES as u64).unwrap();
    assert_eq!(recovered(dir.path()), Recovered { lines: 2, torn: 0 });
    assert_eq!(read(dir.path(), "28"), ["a", "b"].map(|message| line(FEB_28, message)).concat());
    assert!(left_files(dir.path()).is_empty());
}

/// The process is killed after any number of bytes of a write, with and without another process that wrote before it.
#[test]
fn an_interrupted_write_continues_where_it_ended() {
    let lines = [(FEB_28, line(FEB_28, "same")), (FEB_28, record("same")), (FEB_28, record("same"))];
    let lines = [&lines[..], &[(FEB_28, line(FEB_28, "last"))]].concat();
    let same = rendered(FEB_28, "same");
    let run = [line(FEB_28, "same"), same.clone(), same, line(FEB_28, "last")].concat();
    for others in [&b""[..], b"{\"ts\":\"of another process\"}\n"] {
        for written in 0..=run.len() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("2024-02-28.log");
            fs::write(&path, "before\n").unwrap();
            leave_staged(dir.path(), &lines, |queue| {
                let mut backlog = Backlog::default();
                backlog.take_from(queue);
                let mut planned = Run::default();
                assert!(backlog.next_run(&mut planned));
                let file = fs::metadata(&path).unwrap();
                let position = FilePosition { device: file.dev(), inode: file.ino(), offset: file.len() };
                queue.arena().intend(position, backlog.pieces(&planned));
                let mut file = OpenOptions::new().append(true).open(&path).unwrap();
                file.write_all(&[others, &run[..written]].concat()).unwrap();
            });
            recovered(dir.path());
            let expected = [&b"before\n"[..], others, &run].concat();
            assert_eq!(read(dir.path(), "28"), expected, "{written} bytes of {}", run.len());
        }
    }
}

#[test]
fn lines_that_cannot_be_written_wait_for_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    leave(dir.path(), &[(FEB_28, "a")], |_| {});
    let in_the_way = dir.path().join("2024-02-28.log");
    fs::create_dir(&in_the_way).unwrap();
    assert!(recover(&mut DayFiles::new(dir.path())).1.is_err());
    assert_eq!(left_files(dir.path()).len(), 1);
    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(recovered(dir.path()).lines, 1);
}

/// Files that are not hand-over files of this user stay as they are.
#[test]
fn foreign_files_are_left_alone() {
    use std::os::unix::fs::{chown, symlink};
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path(".handover-notes"), "notes").unwrap();
    fs::write(path(".handover-1-2-3-4"), vec![0; 64 << 10]).unwrap();
    // A file of a later version.
    fs::write(path(".handover-1-2-3"), [&b"obs-log9"[..], &[0; 64 << 10]].concat()).unwrap();
    fs::create_dir(path(".handover-4-5-6")).unwrap();
    symlink(path(".handover-1-2-3"), path(".handover-7-8-9")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path(".handover-9-9-9")).status().unwrap().success());
    leave(dir.path(), &[(FEB_28, "of another user")], |_| {});
    let theirs =
        left_files(dir.path()).into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let others = chown(&theirs, Some(65_534), None).is_ok();
    if !others {
        let _ = writeln!(io::stderr(), "skipped: a file of another user needs root");
        fs::remove_file(theirs).unwrap();
    }
    let before = left_files(dir.path());
    assert_eq!(recovered(dir.path()), Recovered::default());
    assert_eq!(left_files(dir.path()), before);
}

#[test]
fn a_file_that_was_not_prepared_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [(".handover-1-2-3", 0), (".handover-1-2-4", 100), (".handover-1-2-5", 1 << 20)] {
        fs::write(dir.path().join(name), vec![0; bytes]).unwrap();
    }
    assert_eq!(recovered(dir.path()), Recovered::default());
    assert!(left_files(dir.path()).is_empty());
}

/// Offset in a hand-over file at which a wrong word could do harm.
fn any_offset() -> impl Strategy<Value = u64> {
    const CHUNK: usize = ((1 << 20) - HEADER_BYTES - SITE_BYTES) / 4;
    let chunk = |number: u64| HEADER_BYTES as u64 + number * CHUNK as u64;
    prop_oneof![
        (0..20_u64).prop_map(|word| word * 8),
        (0..10_u64).prop_map(move |word| chunk(0) + word * 8),
        (0..40_u64).prop_map(move |word| chunk(1) - word * 8),
        (0..30_u64).prop_map(|word| (1 << 20) - SITE_BYTES as u64 + word * 8),
        0..(1_u64 << 20),
    ]
}

fn any_word() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_u64, any::<u64>(), (0..64_u32).prop_map(|bit| 1 << bit), 0..300_000_u64, u64::MAX - 64..]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the file contains, recovery ends, does not panic, and writes whole lines only.
    #[test]
    fn a_damaged_hand_over_file_does_no_harm(
        words in prop::collection::vec((any_offset(), any_word()), 1..6),
        intended in any::<bool>(),
        length in prop::option::weighted(0.1, 0..2_000_000_u64),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let lines = [(FEB_28, line(FEB_28, "a")), (FEB_28, record("b")), (FEB_28 + DAY_NANOS, record("c"))];
        leave_staged(dir.path(), &lines, |queue| {
            let mut backlog = Backlog::default();
            backlog.take_from(queue);
            let mut planned = Run::default();
            if intended && backlog.next_run(&mut planned) {
                let position = FilePosition { device: 0, inode: 0, offset: 0 };
                queue.arena().intend(position, backlog.pieces(&planned));
            }
        });
        let file = OpenOptions::new().write(true).open(&left_files(dir.path())[0]).unwrap();
        for (offset, word) in words {
            file.write_all_at(&word.to_ne_bytes(), offset).unwrap();
        }
        if let Some(length) = length {
            file.set_len(length).unwrap();
        }
        for _again in 0..2 {
            let _ = recover(&mut DayFiles::new(dir.path()));
        }
        for entry in fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            let Some(day) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".log") else { continue };
            for line in fs::read_to_string(&path).unwrap().split_inclusive('\n') {
                prop_assert!(line.starts_with(&format!("{{\"ts\":\"{day}T")), "{}", line);
                let json = serde_json::from_str::<serde_json::Value>(line);
                prop_assert!(line.ends_with('\n') && json.is_ok(), "{}", line);
            }
        }
    }
}

/// The process is killed while it writes a line whose backtrace has just got its symbols.
#[test]
fn a_line_whose_symbols_came_late_is_written_once() {
    let Trace::Unresolved(trace) = Trace::current(0) else { panic!("it was seen before") };
    let mut record = Record::builder();
    let record = record.level(Level::Error).args(format_args!("failed")).build();
    let mut encoder = Encoder::default();
    let name = encoder.names.find("test");
    let redact = Redactor::default();
    let encoded = backtrace::encode(&mut encoder, name, FEB_28, &record, &redact, &trace).unwrap();
    let (staged, draft) = (encoded.0, encoded.1.unwrap());
    let completed = draft.complete(&staged);
    assert_ne!(completed, staged);
    let next = line(FEB_28 + 1, "next");
    for others in [&b""[..], b"{\"ts\":\"of another process\"}\n"] {
        for written in (0..=completed.len()).step_by(61).chain(completed.len() - 3..=completed.len()) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("2024-02-28.log");
            fs::write(&path, "before\n").unwrap();
            leave(dir.path(), &[], |queue| {
                let patience = Duration::ZERO;
                queue.append_draft(0, Level::Error, FEB_28, &staged, Some(draft.clone()), patience);
                queue.append(0, Level::Info, FEB_28 + 1, &next, patience);
                let mut backlog = Backlog::default();
                backlog.take_from(queue);
                let mut planned = Run::default();
                assert!(backlog.next_run(&mut planned));
                assert_eq!(planned.bytes, staged.len(), "a draft is written alone");
                let file = fs::metadata(&path).unwrap();
                let position = FilePosition { device: file.dev(), inode: file.ino(), offset: file.len() };
                queue.arena().intend(position, backlog.pieces(&planned));
                let mut file = OpenOptions::new().append(true).open(&path).unwrap();
                file.write_all(&[others, &completed[..written]].concat()).unwrap();
            });
            recovered(dir.path());
            let ours = if written == completed.len() { &completed } else { &staged };
            let expected = [&b"before\n"[..], others, ours, &next].concat();
            assert_eq!(read(dir.path(), "28"), expected, "{written} bytes of {}", completed.len());
        }
    }
}

/// The process is killed after a write that it had no time to note, and its file becomes immutable.
#[cfg(target_os = "linux")]
#[test]
fn a_write_to_a_file_that_became_immutable_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("2024-02-28.log");
    fs::write(&path, "").unwrap();
    let chattr = |change: &str| {
        let done = std::process::Command::new("chattr").arg(change).arg(&path).output();
        done.is_ok_and(|done| done.status.success())
    };
    let lines = [(FEB_28, "first"), (FEB_28, "second")];
    let [first, second] = lines.map(|(nanos, message)| line(nanos, message));
    leave(dir.path(), &lines, |queue| {
        let mut backlog = Backlog::default();
        backlog.take_from(queue);
        let mut planned = Run::default();
        assert!(backlog.next_run(&mut planned));
        let file = fs::metadata(&path).unwrap();
        let position = FilePosition { device: file.dev(), inode: file.ino(), offset: 0 };
        queue.arena().intend(position, backlog.pieces(&planned));
        fs::write(&path, [&first[..], &second[..9]].concat()).unwrap();
    });
    if !chattr("+i") {
        let _ = io::stderr().write_all(b"skipped: needs the right to set attributes\n");
        return;
    }
    let recovered = recovered(dir.path());
    assert!(chattr("-i"));
    assert_eq!(recovered, Recovered { lines: 1, torn: 0 });
    assert_eq!(fs::read(&path).unwrap(), [&first[..], &second[..9]].concat());
    assert_eq!(fs::read(dir.path().join("2024-02-28.1.log")).unwrap(), second);
}
