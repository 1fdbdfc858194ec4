//! The export of lines over kills, rotation and loss. The worker is played by the test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use chrono::DateTime;
use obs_log::reader::{Leaving, LineTime};

use super::*;

/// Limits of a request, as the worker has them.
const REQUEST_LINES: usize = 8_192;
const REQUEST_BYTES: usize = 1 << 20;

/// Returns lines with a number, a millisecond apart.
fn text(begin: DateTime<Utc>, numbers: std::ops::Range<usize>) -> String {
    let line = |number: usize| {
        let time = LineTime::at(begin + TimeDelta::milliseconds(number as i64));
        format!(
            "{{\"ts\":\"{}\",\"level\":\"info\",\"logger\":\"x\",\"msg\":\"m\",\"n\":{number}}}\n",
            time.text()
        )
    };
    numbers.map(line).collect()
}

fn day(time: DateTime<Utc>) -> String {
    LineTime::at(time).day().to_owned()
}

/// Starts an export as a process does.
fn start(folder: &Path) -> Follower {
    let stored = Stored::new(folder);
    let position =
        stored.read().unwrap_or_else(|| Position::since((Utc::now() - BEGINNING).timestamp_millis()));
    stored.write(&position);
    Follower::new(&Arc::new(Lines::new(folder, position)))
}

/// Requests that a collector has accepted, as the bytes of their lines.
type Requests = Vec<Vec<Vec<u8>>>;

/// Looks at the files once. The process is killed after `left` requests, before it learns of the answer to the last one.
/// Returns whether it was not killed.
fn look(follower: &mut Follower, requests: &mut Requests, left: usize) -> bool {
    let (mut batch, mut bytes, mut sent, mut settled) = (Vec::new(), 0, 0, Vec::new());
    let mut is_killed = false;
    follower.fill(&mut |Encoded(line)| {
        bytes += line.len();
        batch.push(line);
        if batch.len() < REQUEST_LINES && bytes < REQUEST_BYTES {
            return ControlFlow::Continue(false);
        }
        bytes = 0;
        settled.push(Settled { items: batch.len(), is_final: true });
        requests.push(std::mem::take(&mut batch));
        sent += 1;
        is_killed = sent == left;
        if is_killed { ControlFlow::Break(()) } else { ControlFlow::Continue(true) }
    });
    if is_killed {
        return false;
    }
    if !batch.is_empty() {
        settled.push(Settled { items: batch.len(), is_final: true });
        requests.push(batch);
        if sent + 1 == left {
            return false;
        }
    }
    settled.into_iter().for_each(|settled| follower.settled(settled));
    true
}

/// Returns how often each line came, by its bytes without the time of its observation.
fn counts(requests: &Requests) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for line in requests.iter().flatten() {
        *counts.entry(number_of(line)).or_default() += 1;
    }
    counts
}

/// Returns the number of a line: the value of its attribute `hearthnet.n`, a varint.
fn number_of(line: &[u8]) -> u64 {
    const NAME: &[u8] = b"hearthnet.n\x12";
    let place = line.windows(NAME.len()).position(|window| window == NAME).unwrap() + NAME.len();
    // Length of the value, then its tag.
    let varint = &line[place + 2..];
    let length = varint.iter().position(|byte| *byte < 0x80).unwrap() + 1;
    varint[..length].iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}

fn compress(folder: &Path, name: &str) {
    let plain = folder.join(name);
    let file = File::create(folder.join(format!("{name}.gz"))).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(&fs::read(&plain).unwrap()).unwrap();
    encoder.finish().unwrap();
    fs::remove_file(plain).unwrap();
}

/// A kill repeats the lines of one request at most, also if the files are rotated and compressed before the restart.
#[test]
fn kills_and_rotation_lose_no_line_and_repeat_one_request_at_most() {
    const LINES: usize = 40_000;
    for compresses in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let now = Utc::now();
        // The files are those of yesterday and today, whatever the time is. A restart reads no older file.
        let (old, new) = (day(now - TimeDelta::days(1)), day(now));
        let begin = now - TimeDelta::hours(3);
        let since = begin - TimeDelta::days(2);
        let exported = LineTime::at(since).text().to_owned();
        Stored::new(folder.path()).write(&Position { exported, ..Position::since(since.timestamp_millis()) });
        fs::write(path(&format!("{old}.log")), text(begin, 0..LINES / 2)).unwrap();
        fs::write(path(&format!("{new}.log")), text(begin, LINES / 2..LINES)).unwrap();

        // Each run repeats the request of the kill before, and is killed after the next one.
        let (mut requests, mut kills) = (Requests::new(), 0);
        while !look(&mut start(folder.path()), &mut requests, 2) {
            kills += 1;
            assert!(kills < 100, "each run goes on with the next request");
            if kills == 1 && compresses {
                compress(folder.path(), &format!("{old}.log"));
            }
            if kills == 1 {
                // Rotation by another program.
                fs::rename(path(&format!("{new}.log")), path(&format!("{new}.log.1"))).unwrap();
            }
        }
        assert!(kills > 3, "{kills} kills, {:?} lines", requests.iter().map(Vec::len).collect::<Vec<_>>());
        let counts = counts(&requests);
        assert_eq!(counts.len(), LINES, "no line is lost");
        let repeated: usize = counts.values().map(|times| times - 1).sum();
        assert!(repeated <= kills * REQUEST_LINES, "{repeated} lines after {kills} kills");
        assert!(counts.values().all(|times| *times <= 2));

        // Nothing comes again after that.
        let before = requests.len();
        assert!(look(&mut start(folder.path()), &mut requests, usize::MAX));
        assert_eq!(requests.len(), before);
    }
}

/// Writes ten exported lines of three days ago and more after them, and the position between.
fn neglected(folder: &Path) {
    let begin = Utc::now() - TimeDelta::days(3);
    let path = folder.join(format!("{}.log", day(begin)));
    fs::write(&path, text(begin, 0..10)).unwrap();
    let mut reader = obs_log::reader::Reader::new(folder);
    reader.read_new(true, |_, _| Ok(())).unwrap();
    let exported = LineTime::at(begin + TimeDelta::milliseconds(9)).text().to_owned();
    let since_ms = (begin - TimeDelta::days(30)).timestamp_millis();
    Stored::new(folder).write(&Position { since_ms, exported, reader: reader.position() });
    fs::write(&path, text(begin, 0..30)).unwrap();
}

#[test]
fn lines_of_more_than_a_day_are_counted_as_lost_once() {
    let folder = tempfile::tempdir().unwrap();
    neglected(folder.path());
    let begin = Utc::now() - TimeDelta::minutes(5);
    fs::write(folder.path().join(format!("{}.log", day(begin))), text(begin, 100..110)).unwrap();
    let mut requests = Requests::new();
    for lost in [20, 0] {
        let mut follower = start(folder.path());
        assert!(look(&mut follower, &mut requests, usize::MAX));
        assert_eq!(follower.lines.lost(), lost);
        assert!(counts(&requests).into_iter().eq((100..110).map(|number| (number, 1))));
    }
}

#[test]
fn lines_of_a_removed_file_are_counted_as_lost_once() {
    let folder = tempfile::tempdir().unwrap();
    neglected(folder.path());
    let begin = Utc::now() - TimeDelta::minutes(5);
    let path = folder.path().join(format!("{}.log", day(begin)));
    fs::write(&path, text(begin, 100..110)).unwrap();
    let mut follower = start(folder.path());
    for name in obs_log::reader::names(folder.path()).unwrap() {
        let leaving = Leaving::open(&folder.path().join(&name)).unwrap().unwrap();
        fs::remove_file(folder.path().join(name)).unwrap();
        follower.lines.lose(leaving);
    }
    assert_eq!(follower.lines.lost(), 30);
    fs::write(&path, text(begin, 200..205)).unwrap();
    let mut requests = Requests::new();
    assert!(look(&mut follower, &mut requests, usize::MAX));
    assert!(counts(&requests).into_iter().eq((200..205).map(|number| (number, 1))));
    assert_eq!(follower.lines.lost(), 30);
}

/// An export that ends keeps the place before the lines that it has not sent.
#[test]
fn lines_that_were_not_sent_at_the_end_come_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let begin = Utc::now();
    drop(start(folder.path()));
    fs::write(folder.path().join(format!("{}.log", day(begin))), text(begin, 0..10_000)).unwrap();
    let mut follower = start(folder.path());
    let mut sent = 0;
    follower.fill(&mut |_| {
        sent += 1;
        ControlFlow::Continue(sent == REQUEST_LINES)
    });
    // The request within the look was accepted, and the time was over for the rest.
    let first = follower.unsettled - 100;
    follower.settled(Settled { items: first, is_final: true });
    follower.settled(Settled { items: 100, is_final: false });
    let mut requests = Requests::new();
    assert!(look(&mut start(folder.path()), &mut requests, usize::MAX));
    let counts = counts(&requests);
    assert!(counts.contains_key(&9_999) && !counts.contains_key(&0), "{} lines", counts.len());
}
