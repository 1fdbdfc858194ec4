//! Order, width, deadlines, panics and causes of a run.

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use obs_doctor::render::{self, TextStyle};
use obs_doctor::{
    CapabilityBus, Category, Check, CheckResult, Config, Doctor, Limits, NoBus, Report, SkipReason, Status,
};

use crate::home::no_bus;

fn pass(name: &str) -> Check {
    Check::new(name).run_blocking(|_| CheckResult::pass("well"))
}

fn doctor(checks: impl IntoIterator<Item = Check>) -> Doctor {
    let mut doctor = Doctor::empty();
    doctor.register_all(checks).unwrap();
    doctor
}

fn run(doctor: &Doctor) -> Report {
    doctor.run_all_blocking(&Config::new("/nosuch"), &no_bus())
}

fn status(report: &Report, name: &str) -> Status {
    report.get(name).unwrap().status
}

#[test]
fn a_hanging_and_a_blocking_check_do_not_delay_the_others() {
    let checks = [
        Check::new("hangs").run(|_| std::future::pending()),
        pass("well"),
        Check::new("blocks").run_blocking(|_| {
            loop {
                std::thread::park();
            }
        }),
        Check::new("waits").after("blocks").run_blocking(|_| CheckResult::pass("never")),
    ];
    let started = Instant::now();
    let report = run(&doctor(checks));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(status(&report, "well"), Status::Pass);
    for name in ["hangs", "blocks"] {
        let result = report.get(name).unwrap();
        assert_eq!(result.status, Status::Error);
        assert!(result.detail.contains("no answer within 2.0 s") && result.fix.is_some(), "{result:?}");
    }
    assert_eq!(report.get("waits").unwrap().caused_by.as_deref(), Some("blocks"));
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn the_whole_run_has_a_deadline_too() {
    let blocks = |name: &str| {
        Check::new(name).run_blocking(|_| {
            std::thread::sleep(Duration::from_secs(60));
            CheckResult::pass("late")
        })
    };
    let limits =
        Limits::default().parallel(1).per_check(Duration::from_millis(200)).total(Duration::from_millis(300));
    let report = run(&doctor([blocks("a"), blocks("b"), blocks("c")]).limits(limits));
    assert!(report.duration < Duration::from_secs(5));
    assert!(report.results.iter().all(|result| result.status == Status::Error && result.fix.is_some()));
    assert!(report.get("c").unwrap().detail.contains("not started"), "{report:?}");
}

#[test]
fn a_check_may_have_a_deadline_of_its_own() {
    let slow = Check::new("slow").deadline(Duration::from_millis(50)).run(|_| std::future::pending());
    let hour = Duration::from_secs(3600);
    let report = run(&doctor([slow]).limits(Limits::default().per_check(hour).total(hour)));
    assert!(report.get("slow").unwrap().detail.contains("no answer within"), "{report:?}");
}

#[test]
fn a_check_that_is_still_blocked_is_not_started_again() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    let blocks = Check::new("blocks").run_blocking(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = gate.lock().unwrap().recv();
        CheckResult::pass("free again")
    });
    let doctor = doctor([blocks]).limits(Limits::default().per_check(Duration::from_millis(50)));
    assert!(run(&doctor).results[0].detail.contains("no answer"));
    assert!(run(&doctor).results[0].detail.contains("still blocked"), "no second thread");
    assert_eq!(started.load(Ordering::SeqCst), 1);
    // The first thread finishes. The gate is closed now, so the check passes at once.
    drop(release);
    let passes = || (run(&doctor).results[0].status == Status::Pass).then_some(());
    assert!((0..200).any(|_| passes().is_some()), "it runs again once the thread is back");
}

#[test]
fn a_check_that_waits_is_dropped_at_its_deadline_and_started_again_at_once() {
    let waits = Check::new("waits").run(|_| std::future::pending());
    let doctor = doctor([waits]).limits(Limits::default().per_check(Duration::from_millis(20)));
    for round in 0..20 {
        let detail = run(&doctor).results[0].detail.clone();
        assert!(detail.contains("no answer"), "{round}: {detail}");
    }
}

#[test]
fn a_panic_is_an_error_and_the_rest_run() {
    let checks = [
        Check::new("panics").run_blocking(|_| panic!("index {} of 3", 7)),
        Check::new("panics_async").run(|_| async { panic!("no") }),
        Check::new("panics_oddly").run_blocking(|_| panic_any(7)),
        pass("well"),
    ];
    let report = run(&doctor(checks));
    assert_eq!(report.get("panics").unwrap().detail, "the check panicked: index 7 of 3");
    assert_eq!(status(&report, "panics_async"), Status::Error);
    assert!(report.get("panics_oddly").unwrap().detail.contains("without a message"));
    assert_eq!(status(&report, "well"), Status::Pass);
}

/// A check may return text of any length and content.
#[test]
fn a_flood_of_text_is_one_bounded_line() {
    let flood = Check::new("floods").category(Category::new("\u{1b}[2JOwn")).run_blocking(|_| {
        let mut result =
            CheckResult::fail("x".repeat(64 << 20)).fix("\u{1b}]0;title\u{7}\r\n".repeat(1 << 20));
        for n in 0..2000 {
            result = result.evidence(format!("key {n}\n{}", "k".repeat(1000)), "\u{202e}v\0".repeat(10_000));
        }
        result
    });
    let report = run(&doctor([flood])
        .limits(Limits::default().per_check(Duration::from_secs(60)).total(Duration::from_secs(60))));
    let text = render::text(&report, &TextStyle::default().verbose(true));
    let json = render::json(&report);
    assert!(text.len() < 300_000 && json.len() < 300_000, "{} {}", text.len(), json.len());
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("floods")).count(), 1);
    let back: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(back["checks"][0]["evidence"].as_object().unwrap().len(), 32);
    assert_eq!(back["checks"][0]["category"], "\\u{1b}[2JOwn");
}

/// The panic's payload panics again when it is dropped.
#[test]
fn a_panic_within_a_panic_is_one_result_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }
    let report = run(&doctor([Check::new("bomb").run_blocking(|_| panic_any(Bomb)), pass("well")]));
    assert!(report.get("bomb").unwrap().detail.contains("the check panicked"), "{report:?}");
    assert_eq!(status(&report, "well"), Status::Pass);
}

#[test]
fn a_failure_without_a_fix_gets_one_and_stays_consistent() {
    let odd = |name: &str, change: fn(&mut CheckResult)| {
        Check::new(name).run_blocking(move |_| {
            let mut result = CheckResult::pass("odd");
            change(&mut result);
            result
        })
    };
    let report = run(&doctor([
        odd("fails", |result| result.status = Status::Fail),
        odd("says_ok", |result| (result.status, result.ok) = (Status::Error, true)),
        odd("reasons", |result| result.skip_reason = Some(SkipReason::Offline)),
        odd("skips", |result| result.status = Status::Skip),
    ]));
    let of = |name: &str| report.get(name).unwrap();
    assert_eq!(of("fails").fix.as_deref(), Some("ask the author of the check `fails` for a remedy"));
    assert!(!of("says_ok").ok && of("says_ok").fix.is_some());
    assert_eq!((of("reasons").skip_reason, of("reasons").status), (None, Status::Pass));
    assert!(of("skips").skip_reason.is_some() && of("skips").ok);
}

#[test]
fn dependents_name_the_root_cause() {
    let checks = [
        Check::new("c").after("b").run_blocking(|_| CheckResult::pass("never")),
        Check::new("b").after("a").run_blocking(|_| CheckResult::pass("never")),
        Check::new("a").run_blocking(|_| CheckResult::fail("broken").fix("mend it")),
    ];
    let report = run(&doctor(checks));
    for name in ["b", "c"] {
        let result = report.get(name).unwrap();
        assert_eq!(
            (result.skip_reason, result.caused_by.as_deref()),
            (Some(SkipReason::Dependency), Some("a"))
        );
    }
    assert_eq!(report.summary().fail, 1);
    let names: Vec<_> = report.results.iter().map(|result| result.name.as_str()).collect();
    assert_eq!(names, ["c", "b", "a"], "in the order of registration");
}

#[test]
fn dependents_of_a_warning_or_a_skip_run() {
    let checks = [
        Check::new("warns").run_blocking(|_| CheckResult::warn("hm")),
        Check::new("skips").run_blocking(|_| CheckResult::skip(SkipReason::NotConfigured, "none")),
        Check::new("runs").after("warns").after("skips").run_blocking(|_| CheckResult::pass("well")),
    ];
    let report = run(&doctor(checks));
    assert_eq!(
        (status(&report, "runs"), report.exit_code(), report.exit_code_strict()),
        (Status::Pass, 0, 1)
    );
}

#[test]
fn no_more_checks_run_at_once_than_allowed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let checks: Vec<Check> = (0..12)
        .map(|n| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            Check::new(format!("check_{n}")).run_blocking(move |_| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                now.fetch_sub(1, Ordering::SeqCst);
                CheckResult::pass("well")
            })
        })
        .collect();
    let report = run(&doctor(checks).limits(Limits::default().parallel(3)));
    assert_eq!(report.summary().pass, 12);
    assert!((2..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

#[test]
fn needs_are_checked_before_the_work() {
    let never = |_: &obs_doctor::Context| -> CheckResult { unreachable!("it must not run") };
    let checks = [
        Check::new("internet").needs_internet().run_blocking(never),
        Check::new("node").needs_node().run_blocking(never),
    ];
    let report = doctor(checks).run_all_blocking(&Config::new("/nosuch").offline(true), &no_bus());
    assert_eq!(report.get("internet").unwrap().skip_reason, Some(SkipReason::Offline));
    assert_eq!(report.get("node").unwrap().skip_reason, Some(SkipReason::NoNode));
}

#[test]
fn the_async_form_works_on_any_runtime() {
    let check = Check::new("async").run(|cx| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let port = tokio::task::spawn_blocking(move || cx.config.port).await.unwrap();
        CheckResult::pass(port.to_string())
    });
    let doctor = doctor([check]);
    let (config, bus): (_, Arc<dyn CapabilityBus>) = (Config::new("/nosuch"), Arc::new(NoBus));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(doctor.run_all(&config, &bus));
    assert_eq!(report.results[0].detail, "7080");
    assert_eq!(runtime.block_on(doctor.run_one("async", &config, &bus)).unwrap().detail, "7080");
}
