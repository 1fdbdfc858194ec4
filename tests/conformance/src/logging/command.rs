//! `hearthnet log`.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::case::{Outcome, contains, ensure, equal, failed};
use crate::harness::home::Home;
use crate::harness::log_line::Line;
use crate::harness::{Lab, wait};

const DAY: &str = "2026-05-26";

fn line(level: &str, logger: &str, msg: &str) -> String {
    format!(
        "{{\"ts\":\"{DAY}T08:14:22.281Z\",\"level\":\"{level}\",\"logger\":\"{logger}\",\"msg\":\"{msg}\",\"trace_id\":\"01HXR3F2QZ0000000000000000\",\"ms\":12}}\n"
    )
}

/// Creates a home whose log has a line of each level from two components.
fn home(lab: &Lab) -> Outcome<Home> {
    let home = Home::initialised(lab)?;
    std::fs::create_dir_all(home.log_dir())?;
    let mut text = String::new();
    for level in ["trace", "debug", "info", "warning", "error"] {
        text += &line(level, "hearthnet.bus.router", &format!("router {level}"));
        text += &line(level, "hearthnet.llm", &format!("llm {level}"));
    }
    std::fs::write(home.log_dir().join(format!("{DAY}.log")), text)?;
    Ok(home)
}

pub(super) fn filters(lab: &Lab) -> Outcome {
    let home = home(lab)?;
    let shown = |args: &[&str]| {
        Ok::<_, crate::case::Stop>(home.hearthnet(&[&["log"], args].concat())?.exits(0)?.stdout)
    };

    let all = shown(&[])?;
    equal("lines", all.lines().count(), 10)?;
    for part in ["router info", "ms=12", "01HXR3"] {
        contains("the log for people", &all, part)?;
    }
    ensure(!all.contains('\u{1b}'), "no colour where there is no terminal", &all)?;

    let messages = |args: &[&str]| -> Outcome<Vec<String>> {
        let text = shown(&[&["--json"], args].concat())?;
        text.lines()
            .map(|text| Ok(Line::parse(text, None).map_err(|fault| failed(fault, text))?.msg().to_owned()))
            .collect()
    };
    equal("errors", messages(&["--level", "error"])?, vec!["router error", "llm error"])?;
    equal("warnings and errors", messages(&["--level", "warning"])?.len(), 4)?;
    equal("of one component", messages(&["--component", "llm", "--level", "error"])?, vec!["llm error"])?;
    equal("of a component and those below it", messages(&["--component", "bus"])?.len(), 5)?;
    let bytes = std::fs::read_to_string(home.log_dir().join(format!("{DAY}.log")))?;
    equal("lines as they stand in the file", shown(&["--json"])?, bytes)
}

/// `log` selects by time, text, field, trace and number, and says why it shows nothing.
pub(super) fn selects(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    std::fs::create_dir_all(home.log_dir())?;
    let line = |second: u32| {
        format!(
            "{{\"ts\":\"{DAY}T08:14:0{second}.000Z\",\"level\":\"info\",\"logger\":\"hearthnet.bus\",\"msg\":\"line {second}\",\
             \"trace_id\":\"01HXR3F2QZ000000000000000{second}\",\"peer\":\"p{}\"}}\n",
            second % 2
        )
    };
    let text: String = (0..6).map(line).collect();
    std::fs::write(home.log_dir().join(format!("{DAY}.log")), text)?;
    let shown = |args: &[&str]| -> Outcome<String> {
        let text = home.hearthnet(&[&["log", "--json"], args].concat())?.exits(0)?.stdout;
        let seconds = text.lines().map(|line| {
            Ok(Line::parse(line, Some(DAY)).map_err(|fault| failed(fault, line))?.msg().replace("line ", ""))
        });
        Ok(seconds.collect::<Outcome<Vec<_>>>()?.concat())
    };
    let since = format!("{DAY}T08:14:02Z");
    let until = format!("{DAY}T10:14:04+02:00");
    for (args, expected) in [
        (&["--since", &since][..], "2345"),
        (&["--since", &since, "--until", &until], "234"),
        (&["--until", DAY, "--utc"], ""),
        (&["--since", "2h"], ""),
        (&["--lines", "2"], "45"),
        (&["--grep", "line 3"], "3"),
        (&["--grep", "line 3", "--context", "1"], "234"),
        (&["--field", "peer=p1"], "135"),
        (&["--field", "peer=p1", "--field", "msg=line 3"], "3"),
        (&["--trace", "0004"], "4"),
        (&["--trace", "01HXR3…0004"], "4"),
        (&["--trace", "01HXR3F2QZ0000000000000004"], "4"),
    ] {
        equal(&format!("the lines of {args:?}"), shown(args)?, expected.to_owned())?;
    }
    for (args, code, word) in [
        (&["--since", "soon"][..], 2, "yesterday"),
        (&["--field", "peer"], 2, "KEY=VALUE"),
        (&["--trace", "K0"], 2, "01HXR3…K0JD"),
        (&["--component", "buss"], 2, "did you mean"),
        (&["--level", "error"], 0, "no line"),
    ] {
        let ran = home.hearthnet(&[&["log"], args].concat())?.exits(code)?;
        contains(&format!("what {args:?} says"), &ran.stderr, word)?;
    }
    Ok(())
}

/// `--follow` shows new lines, also of the next day's file, and ends at a signal.
pub(super) fn follows(lab: &Lab) -> Outcome {
    let home = home(lab)?;
    let mut command = home.command();
    command
        .args(["log", "--follow", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    let text = Arc::new(Mutex::new(String::new()));
    let (seen, source) = (Arc::clone(&text), child.stdout.take());
    std::thread::spawn(move || {
        use std::io::BufRead as _;
        for line in source
            .into_iter()
            .flat_map(|source| std::io::BufReader::new(source).lines())
            .map_while(Result::ok)
        {
            seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push_str(&line);
        }
    });
    let saw = |part: &str| {
        wait::until(Duration::from_secs(5), || text.lock().is_ok_and(|text| text.contains(part)))
    };
    let append = |day: &str, msg: &str| -> Outcome {
        let path = home.log_dir().join(format!("{day}.log"));
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(file.write_all(line("info", "hearthnet.bus", msg).replace(DAY, day).as_bytes())?)
    };
    let check = || -> Outcome {
        ensure(saw("llm error"), "the lines that were there", "not shown within 5 s")?;
        append(DAY, "a later line")?;
        ensure(saw("a later line"), "a line that came later", "not shown within 5 s")?;
        append("2026-05-27", "the next day")?;
        ensure(saw("the next day"), "a line of the next day", "not shown within 5 s")
    };
    let outcome = check();
    child.kill()?;
    child.wait()?;
    outcome
}

/// The command marks a damaged line and goes on.
pub(super) fn damaged(lab: &Lab) -> Outcome {
    let home = home(lab)?;
    let path = home.log_dir().join(format!("{DAY}.log"));
    let mut bytes = std::fs::read(&path)?;
    bytes.extend_from_slice(b"{\"ts\":\"2026-\xff\xfe\n\n[1]\n");
    bytes.extend_from_slice(line("error", "hearthnet.bus", "the last line").as_bytes());
    bytes.extend_from_slice(b"{\"ts\":");
    std::fs::write(&path, bytes)?;
    let ran = home.hearthnet(&["log"])?.exits(0)?;
    contains("the log", &ran.stdout, "the last line")
}
