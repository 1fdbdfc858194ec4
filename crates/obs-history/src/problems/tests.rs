//! Tests of the table of problems and of its file.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::handle::Problems;
use super::*;
use crate::ErrorKind;
use crate::tests::small_disk::SmallDisk;

const DAY: u64 = 24 * 3_600_000;

fn at(at_ms: u64) -> Occurrence<'static> {
    Occurrence { at_ms, count: 1, is_error: true, example: &"an example", trace_id: None }
}

fn only(problems: &Problems) -> Problem {
    let [problem] = problems.list().try_into().expect("one problem");
    problem
}

/// Returns a text of letters alone, which no pattern leaves out.
fn word(mut number: usize) -> String {
    let mut word = String::from("x");
    while number > 0 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

#[test]
fn a_million_errors_of_fifty_causes_are_fifty_problems() {
    // A thousand messages, each a thousand times. The pattern of a message is made a few times for each of them: to make a
    // million of patterns takes too long without optimisation.
    let message = |number: usize| {
        format!("step {} failed after {number} ms at 10.0.0.{}", word(number % 50), number % 200)
    };
    let messages: Vec<String> = (0..1_000).map(message).collect();
    let problems = Problems::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (problems, messages) = (&problems, &messages);
            scope.spawn(move || {
                for (number, message) in messages.iter().enumerate() {
                    // 250 errors of each message in each thread: two by one, and the rest as lines held back.
                    for turn in 0..3 {
                        let count = if turn == 2 { 248 } else { 1 };
                        let at_ms = (number * 3 + turn) as u64;
                        let error = Occurrence { count, ..at(at_ms + thread) };
                        problems.observe_line("bus", message, None, &error);
                    }
                }
            });
        }
    });
    let list = problems.list();
    assert_eq!(list.len(), 50);
    assert!(list.iter().all(|problem| problem.count == 20_000), "{list:#?}");
    assert_eq!(list.iter().map(|problem| problem.count).sum::<u64>(), 1_000_000);
}

#[test]
fn hostile_text_makes_no_more_than_the_bound() {
    let problems = Problems::new();
    for number in 0..2_000 {
        problems.observe_line("the.web", &word(number), None, &at(1));
        problems.observe_trace(&word(number), "not_found", &at(1));
    }
    problems.observe_check("disk_space", "full", &at(1));
    problems.observe_panic("llm.chat", "index out of bounds", &at(1));
    for number in 0..2_000 {
        problems.observe_line(&word(number), "x", None, &at(1));
    }
    let list = problems.list();
    assert!(list.len() <= MAX_PROBLEMS + MAX_PER_PLACE + 1, "{}", list.len());
    assert_eq!(list.iter().map(|problem| problem.count).sum::<u64>(), 6_002, "each error is counted");
    let web = list.iter().filter(|problem| problem.cause.place() == "the.web");
    assert_eq!(web.map(|problem| problem.count).sum::<u64>(), 2_000, "at its own place");
    for kind in [Kind::Check, Kind::Panic] {
        assert!(list.iter().any(|problem| problem.cause.kind() == kind), "{kind:?} has room");
    }
}

#[test]
fn the_longest_texts_take_less_than_four_megabytes() {
    let problems = Problems::new();
    let long = "lorem ipsum ".repeat(40);
    for number in 0..300 {
        let text = format!("{} {long}", word(number));
        let error = Occurrence { example: &text, trace_id: Some("01HXR3F2M4C9T8Q0Z6V5K7B1AD"), ..at(1) };
        let place = format!("{}{}", word(number / 10), "p".repeat(200));
        problems.observe_line(&place, &text, Some(&long), &error);
        problems.observe_trace(&place, &text, &error);
        problems.observe_panic(&place, &text, &error);
        problems.observe_check(&place, &text, &error);
    }
    let list = problems.list();
    assert!(list.len() > 1_000, "{}", list.len());
    let heap = |problem: &Problem| {
        let cause = &problem.cause;
        let texts = [cause.place(), cause.what(), cause.because().unwrap_or_default(), &problem.example];
        // Each text is an allocation with a head of 16 bytes.
        texts.iter().map(|text| text.len() + 16).sum::<usize>() + 2 * size_of::<Problem>() + 48
    };
    let bytes = list.iter().map(heap).sum::<usize>() + 2_048 * (5 * 8 + 16);
    assert!(bytes < 4 << 20, "{bytes}");
    // A copy for a reader fits too.
    assert!(2 * bytes < 4 << 20, "{bytes}");
    assert!(serde_json::to_vec(&list).unwrap().len() < 2 << 20);
}

#[test]
fn a_cause_that_is_not_seen_for_a_day_is_over_and_may_come_back() {
    let problems = Problems::new();
    let fails = |at_ms| problems.observe_trace("llm.chat", "timeout", &at(at_ms));
    assert!(fails(DAY).is_some(), "it is new");
    problems.tick(2 * DAY - 1);
    assert_eq!(only(&problems).state, State::Open);
    problems.tick(2 * DAY);
    assert_eq!(only(&problems).state, State::Cleared { at_ms: 2 * DAY });
    assert!(fails(3 * DAY).is_some(), "it has come back");
    let problem = only(&problems);
    assert_eq!((problem.state, problem.returned, problem.count), (State::Open, 1, 2));
    assert_eq!((problem.first_seen_ms, problem.last_seen_ms), (DAY, 3 * DAY));
    problems.tick(4 * DAY);
    problems.tick(11 * DAY - 1);
    assert_eq!(problems.list().len(), 1, "it is listed for a week");
    problems.tick(11 * DAY);
    assert!(problems.list().is_empty());
    assert!(fails(11 * DAY + 1).is_some(), "it is new again");
    assert_eq!(only(&problems).count, 1);
}

#[test]
fn a_check_is_over_when_it_passes_and_not_before() {
    let problems = Problems::new();
    problems.observe_check("disk_space", "0.4 GB free", &at(1));
    problems.observe_check("disk_space", "0.3 GB free", &at(2));
    problems.observe_check("disk_space", "cannot tell", &at(2));
    problems.check_passed("clock_sanity", 2);
    problems.tick(2 * DAY);
    assert!(problems.list().iter().all(|problem| problem.state == State::Open));
    assert_eq!(problems.open_by_kind()[3], (Kind::Check, 2));
    problems.check_passed("disk_space", 3);
    assert!(problems.list().iter().all(|problem| problem.state == State::Cleared { at_ms: 3 }));
    assert!(problems.observe_check("disk_space", "0.2 GB free", &at(4)).is_some(), "it fails again");
    assert_eq!(problems.open(), 1);
}

#[test]
fn a_silence_ends_by_time_or_by_hand() {
    let problems = Problems::new();
    let fails = |at_ms| problems.observe_check("disk_space", "full", &at(at_ms));
    let id = fails(1).unwrap();
    assert!(problems.mute(id, 100) && fails(2).is_none());
    let problem = only(&problems);
    assert_eq!((problem.state, problem.count), (State::Muted { until_ms: 100 }, 2));
    assert!(problems.take_news().problems.is_empty(), "a silence is kept");
    problems.tick(100);
    assert_eq!(only(&problems).state, State::Open);
    assert!(problems.mute(id, 200) && problems.unmute(id));
    assert_eq!(only(&problems).state, State::Open);
    assert!(problems.mute(id, 300));
    problems.check_passed("disk_space", 250);
    assert_eq!(only(&problems).state, State::Muted { until_ms: 300 }, "a person wants not to see it");
    problems.tick(300);
    assert_eq!(only(&problems).state, State::Cleared { at_ms: 250 }, "it is over");
    assert!(!problems.mute("0000000000".parse().unwrap(), 5));
}

#[test]
fn an_example_is_not_much_older_than_the_last_error() {
    let problems = Problems::new();
    let fails = |at_ms: u64| {
        let (example, id) = (format!("timed out after {at_ms} ms"), format!("trace-{at_ms}"));
        let error = Occurrence { example: &example, trace_id: Some(&id), ..at(at_ms) };
        problems.observe_line("bus", &example, None, &error);
        let problem = only(&problems);
        (problem.example.into_string(), problem.count, problem.trace_id.unwrap_or_default().into_string())
    };
    let first = |count| ("timed out after 1000 ms".to_owned(), count, "trace-1000".to_owned());
    assert_eq!(fails(1_000), first(1));
    assert_eq!(fails(60_999), first(2));
    let second = |count| ("timed out after 61000 ms".to_owned(), count, "trace-61000".to_owned());
    assert_eq!(fails(61_000), second(3));
    // The clock is set back.
    assert_eq!(fails(10).1, 4);
    assert_eq!(fails(11).0, "timed out after 10 ms");
}

#[test]
fn secrets_are_in_no_text() {
    let problems = Problems::new().redaction(|text| text.replace("hunter", "(hidden)"));
    let error = Occurrence { example: &"login of hunter failed", ..at(1) };
    problems.observe_line("a.hunter", "login of hunter failed", Some("hunter is wrong"), &error);
    let text = serde_json::to_string(&problems.list()).unwrap();
    assert!(!text.contains("hunter") && text.contains("login of (hidden) failed"), "{text}");
}

#[test]
fn two_causes_with_one_number_are_two_problems() {
    let problems = Problems::new();
    for number in 0..50 {
        problems.observe_line("bus", &word(number), None, &at(1));
    }
    let mut stored = problems.list();
    // A file may say what it likes about numbers.
    stored.iter_mut().for_each(|problem| problem.id = "0000000000".parse().unwrap());
    let restored = Problems::new();
    restored.restore(stored, 1);
    let mut ids: Vec<_> = restored.list().iter().map(|problem| problem.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50);
}

fn store(folder: &Path, problems: &Problems) {
    ProblemFile::new(folder).write(problems, 5);
}

#[test]
fn problems_outlive_the_process_and_are_no_news() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = Problems::new();
    earlier.observe_trace("llm.chat", "timeout", &at(1));
    let id = earlier.observe_check("disk_space", "full", &at(1)).unwrap();
    earlier.mute(id, 2 * DAY);
    store(folder.path(), &earlier);

    let problems = Problems::new();
    problems.observe_trace("llm.chat", "timeout", &at(9));
    problems.observe_trace("llm.chat", "partition", &at(9));
    ProblemFile::new(folder.path()).restore(&problems, 10);
    let list = problems.list();
    assert_eq!(list.len(), 3);
    let of = |what: &str| list.iter().find(|problem| problem.cause.what() == what).unwrap();
    let timeout = of("timeout");
    assert_eq!((timeout.count, timeout.first_seen_ms, timeout.last_seen_ms), (2, 1, 9));
    assert_eq!((of("full").state, of("full").id), (State::Muted { until_ms: 2 * DAY }, id));
    let news: Vec<_> = problems.take_news().problems.into_iter().map(|problem| problem.cause).collect();
    assert_eq!(news, [Cause::of_trace("llm.chat", "partition")]);
    assert!(problems.observe_trace("llm.chat", "timeout", &at(11)).is_none());
}

#[test]
fn a_file_that_is_cut_hostile_or_newer_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    let problems = Problems::new();
    problems.observe_line("bus", "down", Some("because"), &at(1));
    store(folder.path(), &problems);
    let whole = fs::read(&file).unwrap();
    let restored = |text: &[u8]| {
        fs::write(&file, text).unwrap();
        let restored = Problems::new();
        ProblemFile::new(folder.path()).restore(&restored, 1_000);
        restored.list()
    };
    assert_eq!(restored(&whole).len(), 1);
    for length in (0..whole.len()).step_by(7) {
        assert!(restored(&whole[..length]).is_empty(), "cut at {length}");
        assert!(!file.exists() && folder.path().join("problems.json.damaged").exists());
    }
    let hostile = [
        "[".repeat(100_000),
        "{\"format\":1,\"stored_at_ms\":0,\"problems\":[{}]}".to_owned(),
        "\0".repeat(4_096),
        "{\"format\":-1}".to_owned(),
    ];
    hostile.iter().for_each(|text| assert!(restored(text.as_bytes()).is_empty()));

    let mut many = problems.list();
    let one = many.remove(0);
    many.extend((0..300).map(|number| {
        let mut problem = one.clone();
        problem.cause = Cause::of_line("bus", &word(number), None);
        problem.example = "é".repeat(1_000).into();
        problem.last_seen_ms = u64::MAX;
        problem.count = u64::MAX;
        problem.state = State::Muted { until_ms: u64::MAX };
        problem
    }));
    let text = serde_json::json!({ "format": 1, "stored_at_ms": 0, "problems": many }).to_string();
    let list = restored(text.as_bytes());
    assert_eq!(list.len(), MAX_PER_PLACE);
    assert!(list.iter().all(|problem| problem.last_seen_ms <= 1_000 && problem.example.len() <= 400));
    let State::Muted { until_ms } = list[0].state else { unreachable!() };
    assert!(until_ms <= 1_000 + 366 * DAY);
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = "{\"format\":2,\"problems\":\"in another form\"}";
    fs::write(folder.path().join(FILE_NAME), text).unwrap();
    assert_eq!(Stored::read(folder.path()).unwrap_err().kind(), ErrorKind::Newer);
    let problems = Problems::new();
    let mut file = ProblemFile::new(folder.path());
    file.restore(&problems, 1);
    problems.observe_trace("llm.chat", "timeout", &at(1));
    file.write(&problems, 1);
    assert_eq!(fs::read_to_string(folder.path().join(FILE_NAME)).unwrap(), text);
    assert_eq!(file.stats(), ProblemFileStats::default());
}

#[test]
fn a_pipe_or_a_link_in_place_of_the_file_does_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert_eq!(Stored::read(folder.path()).unwrap_err().kind(), ErrorKind::Unreadable);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert!(Stored::read(folder.path()).is_err());
    // It is replaced, not followed.
    let problems = Problems::new();
    problems.observe_trace("llm.chat", "timeout", &at(1));
    store(folder.path(), &problems);
    assert_eq!(Stored::read(folder.path()).unwrap().problems, problems.list());
}

#[test]
fn the_list_is_written_seldom_and_a_fault_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let problems = Problems::new();
    let mut file = ProblemFile::new(folder.path().join("history"));
    file.write_if_due(&problems, 1);
    assert_eq!(file.stats().writes, 0, "nothing changed");
    problems.observe_trace("llm.chat", "timeout", &at(1));
    assert!(file.write_if_due(&problems, 1).is_some(), "two seconds are not over");
    assert_eq!(file.stats().writes, 0);
    write_when_due(&mut file, &problems, 1);
    assert_eq!(file.stats().writes, 1);
    problems.observe_trace("llm.chat", "timeout", &at(1));
    problems.observe_trace("llm.chat", "partition", &at(1));
    file.write_if_due(&problems, 1);
    assert_eq!(file.stats().writes, 1);
    file.write(&problems, 1);
    file.write(&problems, 1);
    assert_eq!(file.stats().writes, 2);

    let blocked = folder.path().join("blocked");
    fs::write(&blocked, "").unwrap();
    let mut file = ProblemFile::new(blocked.join("history"));
    file.write(&problems, 1);
    file.write(&problems, 1);
    assert_eq!((file.stats().writes, file.stats().write_errors), (0, 2));
}

/// Writes what is due, after the pause that the file asks for.
fn write_when_due(file: &mut ProblemFile, problems: &Problems, now_ms: u64) {
    while let Some(left) = file.write_if_due(problems, now_ms) {
        assert!(left <= Duration::from_secs(2), "{left:?}");
        std::thread::sleep(left);
    }
}

#[test]
fn counts_and_new_problems_are_stored_within_seconds_without_another_list() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let problems = Problems::new();
    let mut file = ProblemFile::new(folder);
    let fails = |what: &str, times: usize, at_ms| {
        (0..times).for_each(|_| {
            problems.observe_trace("llm.chat", what, &at(at_ms));
        });
    };
    fails("timeout", 1, 1_000);
    write_when_due(&mut file, &problems, 1_000);
    let list = fs::read(folder.join(FILE_NAME)).unwrap();
    fails("timeout", 24, 2_000);
    fails("partition", 20, 2_000);
    write_when_due(&mut file, &problems, 3_000);
    fails("partition", 3, 4_000);
    let id = problems.observe_check("disk_space", "full", &at(4_000)).unwrap();
    problems.mute(id, DAY);
    write_when_due(&mut file, &problems, 5_000);
    let stored = Stored::read(folder).unwrap();
    assert_eq!(stored.problems, problems.list(), "a kill loses none of it");
    assert_eq!(stored.stored_at_ms, 5_000);
    assert!(fs::read(folder.join(FILE_NAME)).unwrap() == list, "the list is as it was");
    assert_eq!(file.stats().writes, 3);

    // The next run goes on with the list and its changes, and counts nothing twice.
    let restored = Problems::new();
    let mut file = ProblemFile::new(folder);
    file.restore(&restored, 6_000);
    assert_eq!(restored.list(), problems.list());
    restored.observe_trace("llm.chat", "timeout", &at(7_000));
    write_when_due(&mut file, &restored, 7_000);
    assert_eq!(Stored::read(folder).unwrap().problems, restored.list());
    assert!(fs::read(folder.join(FILE_NAME)).unwrap() != list, "the changes are in the list");
    for _ in 0..30 {
        restored.observe_trace("llm.chat", "timeout", &at(8_000));
    }
    write_when_due(&mut file, &restored, 8_000);
    assert_eq!(Stored::read(folder).unwrap().problems, restored.list(), "over changes of before");
    file.write(&restored, 9_000);
    assert_eq!(Stored::read(folder).unwrap().problems, restored.list());
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "an orderly end leaves the list alone");
}

#[test]
fn changes_that_are_cut_hostile_or_of_another_list_harm_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let problems = Problems::new();
    let mut file = ProblemFile::new(folder);
    problems.observe_trace("llm.chat", "timeout", &at(1_000));
    write_when_due(&mut file, &problems, 1_000);
    for number in 1..=2 {
        problems.observe_trace("llm.chat", "timeout", &at(1_000 + number));
        problems.observe_trace("llm.chat", &word(number as usize), &at(1_000 + number));
        write_when_due(&mut file, &problems, 1_000 + number);
    }
    let path = folder.join("problems.json.changes");
    let mut whole = fs::read(&path).unwrap();
    whole.truncate(whole.iter().rposition(|byte| *byte != 0).unwrap() + 1);
    let count = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let stored = Stored::read(folder).unwrap().problems;
        stored.iter().find(|problem| problem.cause.what() == "timeout").unwrap().count
    };
    assert_eq!(count(&whole), 3);
    for length in (0..whole.len()).step_by(3) {
        assert!((1..=3).contains(&count(&whole[..length])), "cut at {length}");
    }
    assert_eq!(
        count(&[&whole[..whole.len() - 9], &whole].concat()),
        3,
        "a line goes on behind one that was cut"
    );
    for hostile in ["[".repeat(100_000), "\0".repeat(4_096), "{\"list\":0}\n".repeat(9)] {
        assert_eq!(count(hostile.as_bytes()), 1);
    }
    let other = String::from_utf8(whole).unwrap().replace("\"list\":", "\"list\":9");
    assert_eq!(count(other.as_bytes()), 1, "those of a list of before");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert_eq!(Stored::read(folder).unwrap().problems.len(), 1);
}

#[test]
fn many_changes_are_one_list_and_a_list_that_was_removed_is_written_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("history");
    let problems = Problems::new();
    let mut file = ProblemFile::new(&folder);
    problems.observe_trace("llm.chat", "timeout", &at(1));
    write_when_due(&mut file, &problems, 1);
    fs::remove_dir_all(&folder).unwrap();
    problems.observe_trace("llm.chat", "partition", &at(2));
    write_when_due(&mut file, &problems, 2);
    assert_eq!(Stored::read(&folder).unwrap().problems, problems.list());
    fs::remove_dir_all(&folder).unwrap();
    file.write(&problems, 2);
    assert_eq!(Stored::read(&folder).unwrap().problems, problems.list(), "at an orderly end too");

    // More than the changes take. A list is not written twice in a minute.
    let mut left = None;
    for minute in 1..5 {
        for number in 0..256 {
            let text = format!("{} {} {minute}", word(number), "lorem ipsum ".repeat(30));
            let error = Occurrence { example: &text, ..at(60_000 * minute) };
            problems.observe_line(&word(number / 50), &text, Some(&text), &error);
            problems.observe_panic(&word(number / 50), &text, &error);
        }
        left = loop {
            match file.write_if_due(&problems, 60_000 * minute) {
                Some(left) if left <= Duration::from_secs(2) => std::thread::sleep(left),
                left => break left,
            }
        };
    }
    assert!(
        left.is_some_and(|left| left > Duration::from_secs(2) && left <= Duration::from_secs(60)),
        "{left:?}"
    );
    assert_eq!(file.stats().write_errors, 0);
    assert!(fs::metadata(folder.join("problems.json.changes")).unwrap().len() <= 1 << 20);
    file.write(&problems, 4);
    assert_eq!(Stored::read(&folder).unwrap().problems, problems.list());
}

#[test]
fn a_count_that_has_not_doubled_waits_for_some_minutes() {
    let place = tempfile::tempdir().unwrap();
    let problems = Problems::new();
    let mut file = ProblemFile::new(place.path());
    let fails = |times: usize| {
        for _ in 0..times {
            problems.observe_trace("llm.chat", "timeout", &at(1));
        }
    };
    let stored = || Stored::read(place.path()).unwrap().problems[0].count;
    fails(10);
    write_when_due(&mut file, &problems, 1);
    fails(9);
    let left = loop {
        match file.write_if_due(&problems, 1) {
            Some(left) if left <= Duration::from_secs(2) => std::thread::sleep(left),
            left => break left,
        }
    };
    assert!(left.is_some_and(|left| left <= Duration::from_secs(300)), "{left:?}");
    assert_eq!((stored(), file.stats().writes), (10, 1));
    fails(1);
    write_when_due(&mut file, &problems, 1);
    assert_eq!((stored(), file.stats().writes), (20, 2));
    fails(1);
    file.write(&problems, 1);
    assert_eq!(stored(), 21, "an orderly end loses nothing");
}

#[test]
fn a_change_is_told_once_until_it_is_written() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let told = || TOLD.swap(0, Ordering::Relaxed);
    let place = tempfile::tempdir().unwrap();
    let problems = Problems::new().on_change(|| {
        TOLD.fetch_add(1, Ordering::Relaxed);
    });
    let mut file = ProblemFile::new(place.path());
    for _ in 0..3 {
        problems.observe_trace("llm.chat", "timeout", &at(1));
    }
    assert_eq!(told(), 1);
    write_when_due(&mut file, &problems, 1);
    problems.observe_trace("llm.chat", "timeout", &at(1));
    assert_eq!(told(), 1, "an error of a known cause too");
    assert!(file.write_if_due(&problems, 1).is_some(), "it is too early");
    for _ in 0..2 {
        problems.observe_trace("llm.chat", "timeout", &at(1));
    }
    assert_eq!(told(), 0, "a flood wakes nobody before it is time");
    write_when_due(&mut file, &problems, 1);
    let id = problems.list()[0].id;
    assert!(problems.mute(id, DAY) && told() == 1);
    write_when_due(&mut file, &problems, 1);
    assert_eq!(file.write_if_due(&problems, 1), None, "nothing changed");
    assert_eq!((told(), file.stats().writes), (0, 3));
}

#[test]
fn a_full_disk_keeps_the_last_file_until_there_is_room() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&place.path().join("small"), 64 << 10) else { return };
    let folder = disk.path().join("history");
    let problems = Problems::new();
    let mut file = ProblemFile::new(&folder);
    problems.observe_line("bus", "the first", None, &at(1_000));
    file.write(&problems, 1_000);
    assert_eq!((file.stats().writes, file.stats().write_errors), (1, 0));

    disk.fill();
    for number in 0..100 {
        problems.observe_line("bus", &format!("{} failed", word(number)), None, &at(2_000));
    }
    for errors in 1..=3 {
        file.write(&problems, 2_000);
        assert_eq!((file.stats().writes, file.stats().write_errors), (1, errors));
    }
    // Not tried again at each look, which would say nothing and wear the disk.
    file.write_if_due(&problems, 2_000);
    assert_eq!(file.stats().write_errors, 3);
    let stored = Stored::read(&folder).unwrap();
    assert_eq!((stored.stored_at_ms, stored.problems.len()), (1_000, 1), "the last file is whole");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no half of a file is left");

    disk.clear();
    file.write(&problems, 3_000);
    assert_eq!((file.stats().writes, file.stats().write_errors), (2, 3));
    assert_eq!(Stored::read(&folder).unwrap().problems, problems.list());
}
