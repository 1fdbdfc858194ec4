//! Data of the console: lines of the log, traces and checks, as a page asks for them.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use obs_console::Failure;
use obs_facade::ObservabilityConfig;
use obs_facade::console::api::{LogLines, LogQuery, TailLines, TraceQuery, Window};
use obs_facade::console::{ConsoleNode, NodeSource, Source};
use obs_facade::doctor::{self, NoBus};
use obs_facade::http::Checkup;
use obs_facade::testing::Capture;
use obs_facade::trace;

struct Ada;

impl ConsoleNode for Ada {
    fn id(&self) -> String {
        "ed25519:7H4G".to_owned()
    }

    fn name(&self) -> String {
        "ada".to_owned()
    }

    fn version(&self) -> String {
        "0.2.0".to_owned()
    }
}

fn source(log_dir: &Path) -> NodeSource {
    let checkup = Checkup::new(doctor::Config::default(), Arc::new(NoBus));
    NodeSource::new(&ObservabilityConfig::new(log_dir), Arc::new(Ada), checkup)
}

/// Returns a line of the second `second` of a day.
fn line(day: &str, second: usize, level: &str, msg: &str) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        r#"{{"ts":"{day}T{hour:02}:{minute:02}:{second:02}.000Z","level":"{level}","logger":"hearthnet.bus","msg":"{msg}"}}"#
    )
}

/// Returns the lines of every second of an hour. Each tenth is a warning.
fn hour(day: &str) -> String {
    let level = |second: usize| if second.is_multiple_of(10) { "warning" } else { "info" };
    (0..3600).fold(String::new(), |mut text, second| {
        let _ = writeln!(text, "{}", line(day, second, level(second), &format!("{day} {second}")));
        text
    })
}

fn messages(found: &LogLines) -> Vec<&str> {
    found.lines.iter().map(|line| line["msg"].as_str().unwrap()).collect()
}

fn query(n: usize) -> LogQuery {
    LogQuery { n, ..LogQuery::default() }
}

#[test]
fn a_search_returns_the_newest_lines_of_all_files_and_counts_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(hour("2026-05-25").as_bytes()).unwrap();
    fs::write(folder.path().join("2026-05-25.log.gz"), packed.finish().unwrap()).unwrap();
    fs::write(folder.path().join("2026-05-26.log"), hour("2026-05-26")).unwrap();
    let source = source(folder.path());

    let found = source.logs(&query(3)).unwrap();
    assert_eq!(messages(&found), ["2026-05-26 3597", "2026-05-26 3598", "2026-05-26 3599"]);
    assert_eq!((found.matched, found.oldest.as_deref()), (7200, Some("2026-05-25T00:00:00.000Z")));
    assert_eq!(found.searched_since, found.oldest, "everything was searched");
    let sums = found.counts.iter().map(|count| (count.lines, count.faults));
    assert_eq!(sums.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1)), (7200, 720));

    let warnings = LogQuery { level: Some("warning".to_owned()), ..query(1000) };
    let found = source.logs(&warnings).unwrap();
    let (first, last) = (messages(&found)[0].to_owned(), found.lines.len());
    assert_eq!(
        (first.as_str(), last, found.matched),
        ("2026-05-25 0", 720, 720),
        "in order, over both files"
    );

    // 2026-05-25T00:30:00Z, for a minute
    let since = 1_779_669_000;
    let window = LogQuery { since: Some(since), until: Some(since + 60), ..query(100) };
    let found = source.logs(&window).unwrap();
    assert_eq!((found.matched, messages(&found)[0], found.step_seconds), (60, "2026-05-25 1800", 1));

    let around = LogQuery { around: Some("2026-05-26T00:00:01.500Z".to_owned()), ..query(6) };
    let found = source.logs(&around).unwrap();
    assert_eq!(
        messages(&found),
        ["2026-05-25 3599", "2026-05-26 0", "2026-05-26 1", "2026-05-26 2", "2026-05-26 3", "2026-05-26 4"]
    );

    let mut download = source.download(&LogQuery { text: Some("05-25 35".to_owned()), ..query(0) }).unwrap();
    let mut bytes = Vec::new();
    while let Some(part) = download.read().unwrap() {
        bytes.extend(part);
    }
    // 35, 350 to 359 and 3500 to 3599
    assert_eq!(String::from_utf8(bytes).unwrap().lines().count(), 111);
    for bad in [
        LogQuery { around: Some("noon".to_owned()), ..query(1) },
        LogQuery { level: Some("x".into()), ..query(1) },
    ] {
        assert!(matches!(source.logs(&bad), Err(Failure::BadQuery(_))));
    }
}

#[test]
fn a_damaged_line_matches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let whole = |second| line("2026-05-26", second, "warning", "whole");
    let torn = line("2026-05-26", 61, "warning", "torn");
    let torn = &torn[..torn.len() - 2];
    let log = format!("{}\n{torn}\n{}\n", whole(0), whole(120));
    fs::write(folder.path().join("2026-05-26.log"), log).unwrap();
    let source = source(folder.path());
    let found = source.logs(&query(10)).unwrap();
    assert_eq!((found.matched, messages(&found)), (2, vec!["whole", "whole"]));
    assert_eq!(found.counts.iter().map(|count| (count.lines, count.faults)).collect::<Vec<_>>(), [(2, 2)]);

    // 2026-05-26T00:01:00Z, the minute of the damaged line.
    let since = 1_779_753_660;
    let found = source.logs(&LogQuery { since: Some(since), until: Some(since + 60), ..query(10) }).unwrap();
    assert_eq!((found.matched, found.lines.len(), found.counts.len()), (0, 0, 0));
    let around = LogQuery { around: Some("2026-05-26T00:01:01.500Z".to_owned()), ..query(2) };
    let found = source.logs(&around).unwrap();
    assert_eq!((found.matched, messages(&found)), (2, vec!["whole", "whole"]));

    let tail = source.tail(&query(2)).unwrap().read(100).unwrap();
    assert_eq!((tail.lines.len(), tail.filtered, tail.written), (2, 1, 3));
}

#[test]
fn a_tail_accounts_for_every_line_of_a_burst() {
    const BURST: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("2026-05-26.log");
    fs::write(&path, line("2026-05-26", 0, "info", "before") + "\n").unwrap();
    let source = source(folder.path());
    let warnings = LogQuery { level: Some("warning".to_owned()), ..query(0) };
    let mut tails = [source.tail(&query(0)).unwrap(), source.tail(&warnings).unwrap()];
    let writer = std::thread::spawn(move || {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        let mut block = String::new();
        for number in 0..BURST as usize {
            let level = if number % 3 == 0 { "error" } else { "info" };
            let mut line = line("2026-05-26", number / 10_000, level, &number.to_string());
            if number % 1000 == 1 {
                // Another program has written it.
                line = "no line".to_owned();
            }
            block += &(line + "\n");
            if block.len() > 8_000 {
                file.write_all(std::mem::take(&mut block).as_bytes()).unwrap();
            }
        }
        file.write_all(block.as_bytes()).unwrap();
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    for (tail, shown_of_last) in tails.iter_mut().zip([100, 100]) {
        let (mut shown, mut filtered, mut skipped) = (0, 0, 0);
        loop {
            let TailLines { lines, skipped: more, filtered: others, written } =
                tail.read(shown_of_last).unwrap();
            assert!(lines.len() <= shown_of_last);
            (shown, filtered, skipped) = (shown + lines.len() as u64, filtered + others, skipped + more);
            assert_eq!(shown + filtered + skipped, written);
            if written == BURST {
                break;
            }
            assert!(Instant::now() < deadline, "{written} lines; all written: {}", writer.is_finished());
            // A page asks four times a second.
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(shown > 0 && filtered > 0, "{shown} {filtered} {skipped}");
    }
    writer.join().unwrap();
}

#[test]
fn a_tail_begins_with_the_last_lines_that_match() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("2026-05-26.log"), hour("2026-05-26")).unwrap();
    let warnings = LogQuery { level: Some("warning".to_owned()), ..query(2) };
    let mut tail = source(folder.path()).tail(&warnings).unwrap();
    let first = tail.read(100).unwrap();
    let shown: Vec<_> = first.lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    assert_eq!(shown, ["2026-05-26 3580", "2026-05-26 3590"]);
    assert_eq!((first.written, first.filtered, first.skipped), (20, 18, 0), "from the first shown line on");
    let none = tail.read(100).unwrap();
    assert_eq!((none.lines.len(), none.written), (0, 20));
}

#[test]
fn secrets_in_messages_are_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let text = line("2026-05-26", 0, "error", "GET http://ann:hunter2@bob/?token=s3cr3t-t0k3n failed");
    fs::write(folder.path().join("2026-05-26.log"), text + "\n").unwrap();
    let source = source(folder.path());
    let mut all = serde_json::to_string(&source.logs(&query(9)).unwrap()).unwrap();
    let around = LogQuery { around: Some("2026-05-26T00:00:00Z".to_owned()), ..query(9) };
    all += &serde_json::to_string(&source.logs(&around).unwrap()).unwrap();
    all += &serde_json::to_string(&source.tail(&query(9)).unwrap().read(9).unwrap()).unwrap();
    all += &String::from_utf8(source.download(&query(9)).unwrap().read().unwrap().unwrap()).unwrap();
    assert_eq!(all.matches("failed").count(), 4, "{all}");
    assert!(!all.contains("hunter2") && !all.contains("s3cr3t"), "{all}");
}

#[test]
fn traces_are_listed_and_shown_with_their_spans() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    let obs = Capture::new();
    obs.run(|| {
        let failed = trace::new_trace("llm.chat");
        failed.enter(|| {
            trace::span("forward")
                .field("cause", "connection refused")
                .run(|| trace::span("connect").run(|| {}));
        });
        failed.fail("partition");
        let id = failed.id().to_string();
        failed.finish();
        trace::new_trace("rag.query").finish();
        let running = trace::new_trace("embed.text");

        let listed = |status: &str| {
            let status = Some(status.to_owned()).filter(|status| !status.is_empty());
            source.traces(&TraceQuery { status, n: 10, ..TraceQuery::default() }).unwrap()
        };
        let all = listed("");
        assert_eq!((all.traces.len(), all.kept), (2, 2));
        assert!(all.oldest.is_some());
        let only = listed("failed").traces;
        assert_eq!((only.len(), only[0].status.as_str()), (1, "partition"));
        assert_eq!((only[0].cause.as_deref(), only[0].spans), (Some("connection refused"), 2));
        let later = TraceQuery { since: Some(u64::MAX), n: 10, ..TraceQuery::default() };
        assert!(source.traces(&later).unwrap().traces.is_empty());
        let active = TraceQuery { active: true, n: 10, ..TraceQuery::default() };
        assert_eq!(source.traces(&active).unwrap().traces[0].status, "active");

        let detail = source.trace(&id, true).unwrap();
        let [part] = &detail.parts[..] else { panic!("one part: {detail:?}") };
        let trace = part.trace.as_ref().unwrap();
        assert_eq!((part.node.as_str(), trace.spans[0].name.as_str()), ("ada", "forward"));
        assert_eq!(trace.spans[0].parent_span_id, trace.span_id);
        assert_eq!(trace.spans[1].parent_span_id.as_ref(), Some(&trace.spans[0].span_id));
        let shown = source.trace(&running.id().to_string(), false).unwrap();
        assert_eq!(shown.parts[0].trace.as_ref().unwrap().status, "active");
        assert!(matches!(source.trace("K0", false), Err(Failure::BadQuery(_))));
        assert!(matches!(source.trace("01HXR3F2M9Z5T1V8Q4W7N6K0JD", true), Err(Failure::NotFound(_))));
        running.finish();
    });
}

/// Returns a line of an instant that belongs to a trace. `fields` begins with the value of `msg`.
fn lines_of(at: std::time::SystemTime, id: &str, fields: &str) -> String {
    let ts = chrono::DateTime::<chrono::Utc>::from(at).format("%Y-%m-%dT%H:%M:%S%.3fZ");
    format!(
        "{{\"ts\":\"{ts}\",\"level\":\"info\",\"logger\":\"a\",\"msg\":{fields},\"trace_id\":\"{id}\"}}\n"
    )
}

#[test]
fn a_trace_has_its_lines_of_the_time_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    Capture::new().run(|| {
        let trace = trace::new_trace("llm.chat");
        let id = trace.id().to_string();
        let (record, other) = (trace.finish().unwrap(), "01HXR3F2M9Z5T1V8Q4W7N6K0JD");
        let (began, ms) = (record.started_at(), record.duration().as_secs_f64() * 1e3);
        let after = |seconds: u64| began + Duration::from_secs(seconds);
        let done = format!(
            r#""done","capability":"llm.chat","status":"ok","ms":{ms:.3},"spans":0,"from":"eve","url":"http://a:hunter2@b/""#
        );
        let mut text = lines_of(began - Duration::from_secs(30), &id, r#""earlier""#);
        text += &lines_of(began, &id, r#""one""#);
        text += &lines_of(began, other, r#""of another""#);
        text += &lines_of(began, other, &format!(r#""\"trace_id\":\"{id}\"""#));
        text += "no line\n";
        text += &lines_of(began, &id, &done);
        text += &lines_of(after(20), &id, r#""of a task that it began""#);
        text += &lines_of(after(300), &id, r#""later""#);
        let day = chrono::DateTime::<chrono::Utc>::from(began).format("%Y-%m-%d");
        fs::write(folder.path().join(format!("{day}.log")), text).unwrap();

        let detail = source.trace(&id, false).unwrap();
        let shown: Vec<_> = detail.log.iter().map(|line| line["msg"].as_str().unwrap()).collect();
        assert_eq!(shown, ["one", "done", "of a task that it began"]);
        assert_eq!((detail.lines, detail.lines_cut_off), (Some(3), false));
        let fields = &detail.parts[0].trace.as_ref().unwrap().fields;
        assert_eq!(fields["from"], "eve");
        assert!(!serde_json::to_string(&detail).unwrap().contains("hunter2"));

        fs::remove_dir_all(folder.path()).unwrap();
        let detail = source.trace(&id, false).unwrap();
        assert_eq!((detail.lines, detail.log.len()), (None, 0), "the trace is shown without them");
        assert!(detail.parts[0].trace.is_some());
    });
}

#[test]
fn without_a_history_the_overview_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let overview = source.overview(&Window { since: now - 3600, until: now }).unwrap();
    assert!(overview.history_missing.is_some_and(|reason| reason.contains("history = true")));
    assert_eq!((overview.node.name.as_str(), overview.problems_open), ("ada", 0));
    assert!(overview.gauges.iter().any(|gauge| gauge.title == "Memory"));
    assert!(overview.window.since >= now - 3600 && overview.window.until <= now + 1);
    for (since, until) in [(now, now), (now + 1, now), (now + 100, now + 200)] {
        assert!(
            matches!(source.overview(&Window { since, until }), Err(Failure::BadQuery(_))),
            "{since} {until}"
        );
    }
    let families = source.families().unwrap().families;
    let calls = families.iter().find(|family| family.name == "hearthnet_requests_total").unwrap();
    assert!(!calls.in_history && !calls.help.is_empty());
    assert_eq!(source.doctor(false).unwrap().ran_at, None);
    assert!(matches!(source.doctor(true), Err(Failure::Unavailable(_))), "outside of a runtime");
}
