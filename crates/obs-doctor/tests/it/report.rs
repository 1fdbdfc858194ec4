//! The report as text and JSON (D5).

use obs_doctor::render::{self, TextStyle};
use obs_doctor::{Category, Check, CheckResult, Config, Doctor, Report, SkipReason};
use serde_json::Value;

use crate::home::no_bus;

fn report() -> Report {
    let identity = |name: &str| Check::new(name).category(Category::IDENTITY);
    let machine = |name: &str| Check::new(name).category(Category::MACHINE);
    let mut doctor = Doctor::empty();
    doctor
        .register_all([
            identity("keys_present")
                .run_blocking(|_| CheckResult::pass("~/keys/device.ed25519, 0600").evidence("mode", "0600")),
            identity("keys_loadable").run_blocking(|_| {
                CheckResult::fail("33 bytes, an Ed25519 seed has 32")
                    .fix("restore the key from a backup, or run `hearthnet init` for a new identity")
            }),
            machine("disk_space")
                .run_blocking(|_| CheckResult::warn("1.2 GB free “soon” full").fix("free space")),
            identity("event_log_writable")
                .after("keys_loadable")
                .run_blocking(|_| CheckResult::pass("never")),
            machine("clock_sanity").run_blocking(|_| CheckResult::skip(SkipReason::Offline, "offline")),
        ])
        .unwrap();
    let mut report = doctor.run_all_blocking(&Config::new("/nosuch"), &no_bus());
    report.duration = std::time::Duration::from_millis(940);
    for result in &mut report.results {
        result.duration = std::time::Duration::from_millis(3);
    }
    report
}

#[track_caller]
fn shows(style: &TextStyle, expected: &str) {
    let head = format!("hearthnet doctor  v{} · linux · no node running\n", env!("CARGO_PKG_VERSION"));
    let text = render::text(&report(), style);
    assert_eq!(text.replace(&head, ""), expected, "\n{text}");
}

#[test]
fn d5_the_report_at_80_columns() {
    shows(
        &TextStyle::default().width(Some(80)),
        "
Identity
  ✔ keys_present        ~/keys/device.ed25519, 0600
  ✘ keys_loadable       33 bytes, an Ed25519 seed has 32
      → fix: restore the key from a backup, or run `hearthnet init` for a new
             identity
  - event_log_writable  skipped: needs keys_loadable

Machine
  ! disk_space          1.2 GB free “soon” full
      → fix: free space
  - clock_sanity        skipped: offline

1 failed · 1 warning · 2 skipped · 1 passed   0.9 s
",
    );
}

#[test]
fn d5_the_report_at_40_columns() {
    shows(
        &TextStyle::default().width(Some(40)),
        "
Identity
  ✔ keys_present
      ~/keys/device.ed25519, 0600
  ✘ keys_loadable
      33 bytes, an Ed25519 seed has 32
      → fix: restore the key from a
             backup, or run `hearthnet
             init` for a new identity
  - event_log_writable
      skipped: needs keys_loadable

Machine
  ! disk_space
      1.2 GB free “soon” full
      → fix: free space
  - clock_sanity
      skipped: offline

1 failed · 1 warning · 2 skipped · 1 passed   0.9 s
",
    );
}

#[test]
fn d5_the_report_in_ascii_has_nothing_else() {
    let text = render::text(&report(), &TextStyle::default().ascii(true));
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("  [ok]   keys_present        ~/keys"), "{text}");
    assert!(text.contains("  [FAIL] keys_loadable       33 bytes"), "{text}");
    assert!(text.contains("      -> fix: restore"), "{text}");
    assert!(text.contains("  [!!]   disk_space          1.2 GB free \"soon\" full"), "{text}");
    assert!(text.contains("  [--]   clock_sanity        skipped: offline"), "{text}");
    assert!(text.contains("1 failed | 1 warning | 2 skipped | 1 passed"), "{text}");
}

#[test]
fn d5_problems_only_and_everything() {
    shows(
        &TextStyle::default().quiet(true),
        "Identity
  ✘ keys_loadable  33 bytes, an Ed25519 seed has 32
      → fix: restore the key from a backup, or run `hearthnet init` for a new identity

Machine
  ! disk_space     1.2 GB free “soon” full
      → fix: free space
",
    );
    let text = render::text(&report(), &TextStyle::default().verbose(true));
    assert!(text.contains("device.ed25519, 0600 (3 ms)\n      mode: 0600\n"), "{text}");
}

#[test]
fn d5_colour_is_only_added() {
    let (plain, colored) = (TextStyle::default(), TextStyle::default().color(true));
    let text = render::text(&report(), &colored);
    assert!(
        text.contains("  \u{1b}[32m✔\u{1b}[0m keys_present") && text.contains("\u{1b}[31m✘\u{1b}[0m"),
        "{text:?}"
    );
    let mut stripped = text;
    for code in ["0", "1", "2", "31", "32", "33"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(stripped, render::text(&report(), &plain));
}

#[test]
fn d5_text_and_json_have_the_same_verdicts() {
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

#[test]
fn d5_json_keeps_to_its_schema() {
    let schema: Value = serde_json::from_str(render::JSON_SCHEMA).unwrap();
    let mut json: Value = serde_json::from_str(&render::json(&report())).unwrap();
    validate(&schema, &json, "report").unwrap();
    // The validator sees what does not fit.
    json["checks"][0]["status"] = "fine".into();
    assert!(validate(&schema, &json, "report").unwrap_err().contains("status"));
    json["checks"][0]["status"] = "pass".into();
    json["checks"][0].as_object_mut().unwrap().remove("fix");
    assert!(validate(&schema, &json, "report").unwrap_err().contains("fix"));
}

/// The part of JSON schema that ours is written in; unknown words are refused.
fn validate(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    for (word, rule) in schema.as_object().unwrap() {
        let fits = match word.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => {
                rule.as_array().map_or_else(|| is(rule, value), |any| any.iter().any(|one| is(one, value)))
            }
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64() >= rule.as_f64(),
            "pattern" => value.as_str().is_some_and(|name| !name.is_empty() && !name.contains(' ')),
            "required" => {
                for name in rule.as_array().unwrap().iter().filter_map(Value::as_str) {
                    value.get(name).ok_or_else(|| format!("{at} has no {name}"))?;
                }
                true
            }
            "properties" => {
                for (name, inner) in rule.as_object().unwrap() {
                    value
                        .get(name)
                        .map_or(Ok(()), |field| validate(inner, field, &format!("{at}.{name}")))?;
                }
                true
            }
            "additionalProperties" => {
                for (name, field) in value.as_object().unwrap() {
                    validate(rule, field, &format!("{at}.{name}"))?;
                }
                true
            }
            "items" => {
                for field in value.as_array().unwrap() {
                    validate(rule, field, &format!("{at}[]"))?;
                }
                true
            }
            other => return Err(format!("the schema uses {other}")),
        };
        if !fits {
            return Err(format!("{at}: {value} breaks {word} {rule}"));
        }
    }
    Ok(())
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        _ => false,
    }
}
