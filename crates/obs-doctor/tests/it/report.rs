//! The report as text and JSON.

use obs_doctor::render::{self, TextStyle};
use obs_doctor::{Category, Check, CheckResult, Config, Doctor, Report, SkipReason};
use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestRunner};
use serde_json::Value;
use unicode_width::UnicodeWidthChar as _;

use crate::home::{Home, no_bus};

/// Returns a realistic report with every verdict.
fn report() -> Report {
    const FIX_KEY: &str = "restore the key from a backup, or move it and device.pub away and run `hearthnet init` for a new identity";
    let identity = |name| Check::new(name).category(Category::IDENTITY);
    let network = |name| Check::new(name).category(Category::NETWORK);
    let machine = |name| Check::new(name).category(Category::MACHINE);
    let node = |name| Check::new(name).category(Category::NODE);
    let always = |result: CheckResult| move |_: &obs_doctor::Context| result.clone();
    let key =
        CheckResult::pass("~/.local/share/hearthnet/keys/device.ed25519, 0600").evidence("mode", "0600");
    let seed = CheckResult::fail("33 bytes; an Ed25519 seed has 32").fix(FIX_KEY);
    let port = CheckResult::fail(
        "nginx (pid 812, uid 33) has port 7080: it answers HTTP 200 and is not a HearthNet node",
    );
    let port = port.fix("stop it, or set `[transport] port` to a free port");
    let disk = CheckResult::warn("1.2 GB free, “soon” full").fix("free space");
    let mut doctor = Doctor::empty();
    doctor
        .register_all([
            identity("keys_present").run_blocking(always(key)),
            identity("keys_loadable").run_blocking(always(seed)),
            identity("event_log_writable").after("keys_loadable").run_blocking(always(CheckResult::pass(""))),
            network("transport_port").run_blocking(always(port)),
            node("at_least_one_capability").run_blocking(always(CheckResult::pass("3 capabilities"))),
            machine("disk_space").run_blocking(always(disk)),
            machine("clock_sanity").run_blocking(always(CheckResult::skip(SkipReason::Offline, "offline"))),
            Check::new("vector_store")
                .run_blocking(always(CheckResult::error("the check panicked: no").fix("report it"))),
        ])
        .unwrap();
    let mut report = doctor.run_all_blocking(&Config::new("/nosuch"), &no_bus());
    report.node_id = Some("ed25519:3q2-7w".to_owned());
    report.duration = std::time::Duration::from_millis(940);
    for result in &mut report.results {
        result.duration = std::time::Duration::from_millis(3);
    }
    report
}

/// Compares with `docs/report/<name>.txt`. `UPDATE_REPORTS=1` rewrites that file.
#[track_caller]
fn shows(style: &TextStyle, name: &str) {
    let text = render::text(&report(), style).replace(env!("CARGO_PKG_VERSION"), "0.1.0");
    let text = text.replace(std::env::consts::OS, "linux");
    let file = std::path::PathBuf::from(format!("{}/docs/report/{name}.txt", env!("CARGO_MANIFEST_DIR")));
    if std::env::var_os("UPDATE_REPORTS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, known, "{name}:\n{text}\n{}:\n{known}", file.display());
}

#[test]
fn the_report_at_80_and_40_columns_in_every_style() {
    for width in [80, 40] {
        let style = TextStyle::default().width(Some(width));
        shows(&style, &format!("{width}"));
        shows(&style.color(true), &format!("{width}-color"));
        shows(&style.ascii(true), &format!("{width}-ascii"));
        shows(&style.ascii(true).color(true), &format!("{width}-ascii-color"));
        shows(&style.verbose(true), &format!("{width}-verbose"));
        let text = render::text(&report(), &style);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        assert!(render::text(&report(), &style.ascii(true)).is_ascii());
    }
    shows(&TextStyle::default(), "pipe");
    shows(&TextStyle::default().quiet(true), "quiet");
}

/// All combinations of `--color`, `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb`, a pipe, `LANG=C` and widths.
#[test]
fn every_switch_and_variable_together() {
    use render::ColorChoice::{Always, Auto, Never};
    let mut seen = 0;
    for choice in [Auto, Always, Never] {
        for bits in 0..32_u32 {
            for columns in [80, 40] {
                let [no_color, force, dumb, pipe, lang_c] = [1, 2, 4, 8, 16].map(|bit| bits & bit != 0);
                let env = |name: &str| match name {
                    "NO_COLOR" => no_color.then(|| "1".to_owned()),
                    "CLICOLOR_FORCE" => force.then(|| "1".to_owned()),
                    "TERM" => Some(if dumb { "dumb" } else { "xterm-256color" }.to_owned()),
                    "LANG" => Some(if lang_c { "C" } else { "de_DE.UTF-8" }.to_owned()),
                    _ => None,
                };
                let style = TextStyle::resolve(choice, env, (!pipe).then_some(columns));
                // The first setting in the order of precedence decides.
                let color = match (choice, no_color, force) {
                    (Always, ..) => true,
                    (Never, ..) | (Auto, true, _) => false,
                    (Auto, false, true) => true,
                    (Auto, false, false) => !pipe && !dumb,
                };
                let expected = TextStyle::default()
                    .color(color)
                    .ascii(lang_c || (dumb && !pipe))
                    .width((!pipe).then_some(columns));
                assert_eq!(style, expected, "{choice} {bits:05b} {columns}");
                let text = render::text(&report(), &style);
                assert_eq!(text.contains('\u{1b}'), color);
                // Colour is never the only mark.
                for mark in
                    if style.ascii { ["[ok]", "[!!]", "[FAIL]", "[--]"] } else { ["✔", "!", "✘", "-"] }
                {
                    assert!(text.contains(mark), "{mark} in {text}");
                }
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 192);
}

/// Arbitrary text at any width.
#[test]
fn no_line_is_wider_than_the_terminal() {
    let text = "\\PC{0,90}|[\\u{1F468}\\u{200D}\\u{65E5}\\u{0301} -~]{0,300}|(/[a-z]{1,30}){1,9}";
    let styles = (40_usize..130, any::<(bool, bool, bool)>());
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() });
    let said = (text, text, text, "[a-z0-9_.-]{1,64}", styles);
    runner
        .run(&said, |(detail, fix, value, name, (width, (ascii, color, verbose)))| {
            let mut doctor = Doctor::empty();
            let result = CheckResult::warn(detail).fix(fix).evidence("seen", value);
            doctor.register(Check::new(name).run_blocking(move |_| result.clone())).unwrap();
            let report = doctor.run_all_blocking(&Config::new("/nosuch"), &no_bus());
            let style = TextStyle::default().width(Some(width)).ascii(ascii).verbose(verbose);
            let plain = render::text(&report, &style);
            for line in plain.lines() {
                let columns: usize = line.chars().map(|c| c.width().unwrap_or(0)).sum();
                prop_assert!(columns <= width, "{} > {}: {:?}", columns, width, line);
            }
            prop_assert!(!ascii || plain.is_ascii());
            prop_assert!(plain.chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert_eq!(without_color(&render::text(&report, &style.color(color))), plain);
            serde_json::from_str::<Value>(&render::json(&report)).unwrap();
            Ok(())
        })
        .unwrap();
}

fn without_color(text: &str) -> String {
    ["0", "1", "2", "31", "32", "33"]
        .iter()
        .fold(text.to_owned(), |text, code| text.replace(&format!("\u{1b}[{code}m"), ""))
}

#[test]
fn colour_is_only_added() {
    let (plain, colored) = (TextStyle::default(), TextStyle::default().color(true));
    assert_eq!(without_color(&render::text(&report(), &colored)), render::text(&report(), &plain));
}

#[test]
fn text_and_json_have_the_same_verdicts() {
    let report = report();
    let json: Value = serde_json::from_str(&render::json(&report)).unwrap();
    let text = render::text(&report, &TextStyle::default());
    let marks = [("pass", "✔"), ("warn", "!"), ("fail", "✘"), ("error", "✘"), ("skip", "-")];
    let checks = json["checks"].as_array().unwrap();
    assert_eq!(checks.len(), report.results.len());
    for (check, result) in checks.iter().zip(&report.results) {
        let name = check["name"].as_str().unwrap();
        let mark = marks.iter().find(|(status, _)| check["status"] == *status).unwrap().1;
        assert!(text.contains(&format!("  {mark} {name} ")), "{name}");
        assert!(text.contains(check["detail"].as_str().unwrap()), "{name}");
        assert_eq!(check["ok"], result.ok);
    }
    assert_eq!((&json["ok"], report.exit_code()), (&Value::Bool(false), 1));
    let of = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap();
    assert_eq!(of("event_log_writable")["caused_by"], "keys_loadable");
    assert_eq!(of("event_log_writable")["skip_reason"], "dependency");
    assert_eq!(of("keys_present")["evidence"]["mode"], "0600");
    assert_eq!(of("keys_present")["duration_ms"], 3);
}

/// Compiles the schema with an independent validator.
struct Schema(boon::Schemas, boon::SchemaIndex);

impl Schema {
    fn of_reports() -> Self {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("report.json", serde_json::from_str(render::JSON_SCHEMA).unwrap()).unwrap();
        let index = compiler.compile("report.json", &mut schemas).unwrap();
        Self(schemas, index)
    }

    fn refuses(&self, report: &Value) -> Option<String> {
        self.0.validate(report, self.1).err().map(|why| format!("{why:#}"))
    }
}

#[test]
fn json_keeps_to_its_schema() {
    let schema = Schema::of_reports();
    let json = |report: &Report| serde_json::from_str::<Value>(&render::json(report)).unwrap();
    for report in [report(), Home::fresh().run_all(), Home::empty().run_all()] {
        assert_eq!(schema.refuses(&json(&report)), None);
    }
}

#[test]
fn the_schema_refuses_other_json() {
    let schema = Schema::of_reports();
    let right: Value = serde_json::from_str(&render::json(&report())).unwrap();
    let check = |at: &str, wrong: Value| {
        let mut report = right.clone();
        *report.pointer_mut(at).unwrap() = wrong;
        assert!(schema.refuses(&report).is_some(), "{at}");
    };
    check("/schema", 2.into());
    check("/summary/pass", (-1).into());
    check("/checks/0/name", "Not A Name".into());
    check("/checks/0/status", "fine".into());
    check("/checks/0/duration_ms", "3".into());
    check("/checks/0/evidence/mode", 600.into());
    check("/checks/0/ok", false.into()); // of a check that passes
    check("/checks/1/fix", Value::Null); // of a check that fails
    check("/checks/0/skip_reason", "offline".into()); // of a check that ran
    check("/checks/2/skip_reason", "tired".into());
    let mut short = right.clone();
    short["checks"][0].as_object_mut().unwrap().remove("fix");
    assert!(schema.refuses(&short).is_some());
}
