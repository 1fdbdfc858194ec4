//! Searches of `hearthnet log`, with real files, terminals and pagers.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::node::{Home, text_of};
use crate::pty;

const ID: &str = "01HXR3F2M9Z5T1V8Q4W7N6K0JD";

fn line(ts: &str, level: &str, logger: &str, rest: &str) -> String {
    format!("{{\"ts\":\"{ts}Z\",\"level\":\"{level}\",\"logger\":\"hearthnet.{logger}\",{rest}}}\n")
}

/// Creates a home with a compressed day and two plain ones. Each has a line every ten minutes.
fn home() -> Home {
    let home = Home::new();
    fs::create_dir_all(home.log()).unwrap();
    for day in ["2026-05-25", "2026-05-26", "2026-05-27"] {
        let mut text = String::new();
        for minute in (0..24 * 60).step_by(10) {
            let ts = format!("{day}T{:02}:{:02}:00.000", minute / 60, minute % 60);
            let level = if minute % 60 == 30 { "warning" } else { "info" };
            let logger = if minute % 20 == 0 { "bus.router" } else { "llm" };
            let trace = if minute == 600 { format!(",\"trace_id\":\"{ID}\"") } else { String::new() };
            let rest =
                format!("\"msg\":\"Call {minute} routed\",\"ms\":{minute},\"ok\":true,\"to\":\"eve\"{trace}");
            text += &line(&ts, level, logger, &rest);
        }
        if day == "2026-05-25" {
            let file = fs::File::create(home.log().join(format!("{day}.log.gz"))).unwrap();
            let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::default());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap();
        } else {
            fs::write(home.log().join(format!("{day}.log")), text).unwrap();
        }
    }
    home
}

fn log(home: &Home, args: &[&str]) -> Output {
    home.run(&[&["log"], args].concat())
}

/// Returns day and minute of the shown lines.
fn shown(home: &Home, args: &[&str]) -> Vec<(String, u64)> {
    let output = log(home, &[&["--json"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    let lines = text_of(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>();
    let of = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (line["ts"].as_str().unwrap()[8..10].to_owned(), line["ms"].as_u64().unwrap())
    };
    lines.iter().map(of).collect()
}

fn minutes(home: &Home, args: &[&str]) -> Vec<u64> {
    shown(home, args).into_iter().map(|(_, minute)| minute).collect()
}

#[test]
fn lines_are_selected_by_time() {
    let home = home();
    let between = |since: &str, until: &str| shown(&home, &["--utc", "--since", since, "--until", until]);
    let expected =
        |lines: &[(&str, u64)]| lines.iter().map(|(day, ms)| ((*day).to_owned(), *ms)).collect::<Vec<_>>();
    assert_eq!(
        between("2026-05-26 10:00", "2026-05-26T10:20Z"),
        expected(&[("26", 600), ("26", 610), ("26", 620)])
    );
    assert_eq!(
        between("2026-05-25T23:50:00+00:00", "2026-05-26 00:00"),
        expected(&[("25", 1430), ("26", 0)]),
        "over a compressed day"
    );
    assert_eq!(shown(&home, &["--utc", "--since", "2026-05-27"]).len(), 144);
    assert_eq!(shown(&home, &["--utc", "--until", "2026-05-25 00:10"]), expected(&[("25", 0), ("25", 10)]));
    assert_eq!(shown(&home, &[]).len(), 3 * 144);
}

/// The zone of the machine decides about times without an offset, and about those that are shown.
#[test]
fn times_are_in_the_zone_of_the_machine() {
    let home = home();
    let run = |zone: &str, args: &[&str]| {
        let output = home.command(&[&["log"], args].concat()).env("TZ", zone).output().unwrap();
        text_of(&output.stdout).to_string()
    };
    // Central Europe, without its time zone database.
    let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    let args = ["--since", "2026-05-26 12:00", "--until", "2026-05-26 12:09"];
    assert!(
        run(berlin, &args).starts_with("2026-05-26T12:00:00.000+02:00 INFO  bus.router     Call 600 routed")
    );
    assert!(run(berlin, &[&args[..], &["--local"]].concat()).contains("Call 600 routed"));
    let utc = run(berlin, &[&args[..], &["--utc"]].concat());
    assert!(utc.starts_with("2026-05-26T12:00:00.000Z INFO ") && utc.contains("Call 720 routed"), "{utc}");
    assert!(run("XXX0", &args).starts_with("2026-05-26T12:00:00.000"));
}

/// Clocks show an hour twice in autumn and skip one in spring.
#[test]
fn hours_that_clocks_repeat_or_skip_are_found() {
    let home = Home::new();
    fs::create_dir_all(home.log()).unwrap();
    let of = |ts: &str, ms: u64| line(ts, "info", "bus", &format!("\"msg\":\"m\",\"ms\":{ms}"));
    let autumn: String = ["2026-10-25T00:30:00.000", "2026-10-25T01:30:00.000", "2026-10-25T02:30:00.000"]
        .iter()
        .zip(1..)
        .map(|(ts, ms)| of(ts, ms))
        .collect();
    fs::write(home.log().join("2026-10-25.log"), autumn).unwrap();
    fs::write(
        home.log().join("2026-03-29.log"),
        of("2026-03-29T00:59:59.000", 8) + &of("2026-03-29T01:30:00.000", 9),
    )
    .unwrap();
    let run = |args: &[&str]| {
        let mut command = home.command(&[&["log"], args].concat());
        text_of(&command.env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3").output().unwrap().stdout).to_string()
    };
    // 02:30 is 00:30 UTC and 01:30 UTC. Both are shown, with their offsets.
    let both = run(&["--since", "2026-10-25 02:30", "--until", "2026-10-25 02:30"]);
    assert!(both.contains("T02:30:00.000+02:00") && both.contains("T02:30:00.000+01:00"), "{both}");
    assert_eq!(both.lines().count(), 2, "{both}");
    // 02:30 does not exist. It is where 03:30 is.
    assert_eq!(run(&["--since", "2026-03-29 02:30", "--until", "2026-03-29 03:30"]).lines().count(), 1);
}

#[test]
fn lines_are_found_by_text_field_and_trace() {
    let home = home();
    for (args, expected) in [
        (&["--grep", "call 600"][..], &[600, 600, 600][..]),
        (&["--grep", "CALL"], &[]),
        (&["--grep", "ms=1430"], &[1430, 1430, 1430]),
        (&["--field", "ms=10", "--field", "ms=20", "--since", "2026-05-27", "--utc"], &[10, 20]),
        (&["--field", "ok=true", "--field", "msg=Call 30 routed"], &[30, 30, 30]),
        (&["--field", "ms=10", "--field", "ok=false"], &[]),
        (&["--trace", ID, "--since", "2026-05-26"], &[600, 600]),
        (&["--trace", "01HXR3…K0JD"], &[600, 600, 600]),
        (&["--trace", "k0jd", "--until", "2026-05-26"], &[600]),
        (&["--trace", "K0JX"], &[]),
        (&["--level", "warning", "--component", "llm", "--lines", "2"], &[1350, 1410]),
        (&["-n", "1"], &[1430]),
        (&["-n", "0"], &[]),
    ] {
        assert_eq!(minutes(&home, args), expected, "{args:?}");
    }
    let hex = "018fb0378a89fcb41da2e479e7533193";
    assert_eq!(log(&home, &["--trace", hex]).status.code(), Some(0));
}

#[test]
fn the_last_lines_come_from_as_many_files_as_needed() {
    let home = home();
    assert_eq!(shown(&home, &["--lines", "300"]).len(), 300);
    assert_eq!(shown(&home, &["--lines", "300"])[0], ("25".to_owned(), 22 * 60));
    assert_eq!(shown(&home, &["--lines", "all"]).len(), 432);
    // A copy counts once.
    fs::copy(home.log().join("2026-05-27.log"), home.log().join("2026-05-27.log.1")).unwrap();
    assert_eq!(shown(&home, &["--lines", "200"]).len(), 200);
    assert_eq!(minutes(&home, &["--lines", "3"]), [1410, 1420, 1430]);
}

#[test]
fn context_is_shown_once_and_separated() {
    let home = home();
    let args = ["--grep", "call 600", "--context", "1", "--since", "2026-05-26", "--utc"];
    let output = log(&home, &args);
    let text = text_of(&output.stdout).to_string();
    let first: Vec<_> =
        text.lines().map(|line| line.split(" Call ").nth(1).map_or(line, |rest| &rest[..3])).collect();
    assert_eq!(first, ["590", "600", "610", "--", "590", "600", "610"], "{text}");
    assert_eq!(minutes(&home, &args), [590, 600, 610, 590, 600, 610], "JSON has no separators");
    assert_eq!(minutes(&home, &["--grep", "call 600", "-C1", "-n1"]), [590, 600, 610]);
}

#[test]
fn following_begins_with_the_last_lines() {
    for (args, first) in [
        (&[][..], &[1340, 1350][..]),
        (&["--lines", "2"], &[1420, 1430]),
        (&["--level", "warning", "-n", "1"], &[1410]),
        (&["-n", "0"], &[]),
    ] {
        let home = home();
        let args = [&["log", "--follow", "--json"], args].concat();
        let mut child = home.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let day = home.log().join("2026-05-27.log");
        let appended = line("2026-05-27T23:59:00.000", "warning", "bus", "\"msg\":\"new\",\"ms\":1");
        // Appended until it comes, because nothing tells that the command has begun. The kill is the deadline.
        let is_over = AtomicBool::new(false);
        let shown = thread::scope(|scope| {
            scope.spawn(|| {
                let deadline = Instant::now() + Duration::from_secs(20);
                while !is_over.load(Ordering::Relaxed) && Instant::now() < deadline {
                    thread::sleep(Duration::from_millis(20));
                    if !first.is_empty() {
                        continue;
                    }
                    fs::File::options()
                        .append(true)
                        .open(&day)
                        .unwrap()
                        .write_all(appended.as_bytes())
                        .unwrap();
                }
                child.kill().unwrap();
            });
            let mut shown: Vec<String> = lines.by_ref().take(first.len()).map_while(Result::ok).collect();
            if !first.is_empty() {
                fs::File::options().append(true).open(&day).unwrap().write_all(appended.as_bytes()).unwrap();
            }
            while let Some(Ok(line)) = lines.next() {
                shown.push(line);
                if shown.last().unwrap().contains("\"new\"") {
                    break;
                }
            }
            is_over.store(true, Ordering::Relaxed);
            shown
        });
        child.wait().unwrap();
        for (line, ms) in shown.iter().zip(first) {
            assert!(line.contains(&format!("\"ms\":{ms},")), "{args:?}: {shown:#?}");
        }
        assert!(shown.last().is_some_and(|line| line.contains("\"new\"")), "{args:?}: {shown:#?}");
    }
}

#[test]
fn an_empty_result_says_why() {
    let home = home();
    let begin = "the log begins at 2026-05-25T00:00:00.000Z";
    for (args, why) in [
        (&["--level", "error"][..], &["no line of level error", begin, "432 lines of lower level"][..]),
        (&["--grep", "nosuch"], &["with `nosuch`", "432 lines without the text"]),
        (&["--trace", "K0JX"], &["of trace K0JX", "432 lines of other traces"]),
        (&["--field", "ms=7"], &["with ms=7", "432 lines without that field"]),
        (&["--since", "2026-06-01"], &["since 2026-06-01T00:00:00.000Z", begin]),
        (&["--until", "2026-05-01"], &["until 2026-05-01T00:00:00.000Z", begin]),
        (&["--level", "error", "-n", "5"], &["432 lines of lower level"]),
        (&["--component", "signature"], &["of component `signature`", "432 lines of other components"]),
    ] {
        let output = log(&home, &[&["--utc"], args].concat());
        assert_eq!((output.status.code(), text_of(&output.stdout).as_ref()), (Some(0), ""), "{args:?}");
        let said = text_of(&output.stderr).to_string();
        assert!(why.iter().all(|why| said.contains(why)) && said.lines().count() == 1, "{args:?}: {said}");
    }
    let empty = Home::new();
    fs::create_dir_all(empty.log()).unwrap();
    assert!(text_of(&log(&empty, &[]).stderr).contains("the log has no lines yet"));
}

#[test]
fn an_unknown_component_is_exit_2_with_a_suggestion() {
    let home = home();
    for args in [&["--component", "ruoter"][..], &["--component", "bus.ruoter", "-n", "5"]] {
        let output = log(&home, args);
        let said = text_of(&output.stderr).to_string();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(
            said.contains("did you mean") && said.contains("router") && said.contains("bus.router, llm"),
            "{said}"
        );
    }
}

/// Runs the command at a terminal, where `less` cannot take keys from a test.
fn at_a_terminal(home: &Home, args: &[&str], variables: &[(&str, &str)]) -> (String, Option<i32>) {
    let mut command: Command = home.command(&[&["log"], args].concat());
    command.env_remove("PAGER").env_remove("HEARTHNET_PAGER").env_remove("NO_COLOR").env("TERM", "xterm");
    for (name, value) in variables {
        command.env(name, value);
    }
    pty::run(command, 120, "")
}

#[test]
fn a_pager_shows_the_log_at_a_terminal() {
    let home = home();
    let own = home.path().join("pager.sh");
    fs::write(&own, "echo paged; cat\n").unwrap();
    let own = format!("sh {}", own.display());
    let last = ["-n", "1"];
    let variables = [("HEARTHNET_PAGER", own.as_str()), ("PAGER", "nosuch")];
    let (shown, code) = at_a_terminal(&home, &last, &variables);
    assert!(shown.starts_with("paged\n") && shown.contains("Call 1430 routed") && code == Some(0), "{shown}");
    for (args, variables) in [
        (&["-n", "1", "--no-pager"][..], &variables[..]),
        (&last, &[("HEARTHNET_PAGER", ""), ("PAGER", own.as_str())]),
        (&last, &[("HEARTHNET_PAGER", "cat")]),
        (&last, &[("PAGER", own.as_str()), ("TERM", "dumb")]),
    ] {
        let (shown, code) = at_a_terminal(&home, args, variables);
        assert!(!shown.contains("paged") && shown.contains("Call 1430 routed") && code == Some(0), "{shown}");
    }
    let (shown, _) = at_a_terminal(&home, &last, &[("PAGER", "nosuch-pager -x")]);
    assert!(
        shown.contains("`nosuch-pager` is not installed") && shown.contains("Call 1430 routed"),
        "{shown}"
    );
    // An empty result is explained without a pager.
    let (shown, _) = at_a_terminal(&home, &["--level", "error"], &variables);
    assert!(!shown.contains("paged") && shown.contains("432 lines of lower level"), "{shown}");
    // A pipe has no pager.
    let piped = home.command(&["log", "-n", "1"]).env("HEARTHNET_PAGER", &own).output().unwrap();
    assert!(!text_of(&piped.stdout).contains("paged"));
}

#[test]
fn a_pager_that_quits_is_no_error() {
    let home = home();
    let day = fs::read_to_string(home.log().join("2026-05-27.log")).unwrap();
    fs::write(home.log().join("2026-05-27.log"), day.repeat(30)).unwrap();
    let (shown, code) = at_a_terminal(&home, &[], &[("PAGER", "head -n 2")]);
    assert_eq!((shown.lines().count(), code), (2, Some(0)), "{shown}");
}

#[test]
fn colours_follow_the_option() {
    let home = home();
    let red = |text: &str| text.contains("\x1b[");
    let no_pager = [("PAGER", "")];
    assert!(red(&at_a_terminal(&home, &["-n1"], &no_pager).0));
    assert!(!red(&at_a_terminal(&home, &["-n1", "--color", "never"], &no_pager).0));
    assert!(!red(text_of(&log(&home, &["-n1"]).stdout).as_ref()));
    assert!(red(text_of(&log(&home, &["-n1", "--color", "always"]).stdout).as_ref()));
}

/// Lines that are out of order, torn, or without a time do not hide others.
#[test]
fn a_search_by_time_in_a_large_file_finds_every_line() {
    let home = Home::new();
    fs::create_dir_all(home.log()).unwrap();
    let mut text = String::new();
    for second in 0..20_000_u64 {
        // Every hundredth line is half a minute late.
        let time = if second % 100 == 99 { second.saturating_sub(30) } else { second };
        let ts = format!("2026-05-26T{:02}:{:02}:{:02}.000", time / 3600, time / 60 % 60, time % 60);
        text += &line(&ts, "info", "bus", &format!("\"msg\":\"m\",\"ms\":{time}"));
        if second % 1_000 == 500 {
            text += "{\"ts\":\"2026-05-26T0\n\u{0}\u{1b}[2J\n";
        }
    }
    fs::write(home.log().join("2026-05-26.log"), text).unwrap();
    let since_1h = shown(&home, &["--utc", "--since", "2026-05-26 01:00", "--until", "2026-05-26 01:59:59"]);
    let mut found: Vec<_> = since_1h.into_iter().map(|(_, second)| second).collect();
    found.sort_unstable();
    let mut expected: Vec<_> = (0..20_000)
        .map(|second| if second % 100 == 99 { second - 30 } else { second })
        .filter(|second| (3_600..7_200).contains(second))
        .collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(minutes(&home, &["-n", "2"]), [19_998, 19_969]);
}
