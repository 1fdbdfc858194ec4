//! `hearthnet doctor`: checks this machine and prints a report with the fix for each problem.

mod fix;
mod remote_bus;

use std::io;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use obs_facade::doctor::render::{self, ColorChoice, TextStyle};
use obs_facade::doctor::{CapabilityBus, Config, Doctor, Error, Limits, Report};

use self::fix::Consent;
use self::remote_bus::RemoteBus;
use crate::cli::output::{print, say_on_stderr};

/// Checks this machine and prints the fix for each problem. Changes nothing without --fix.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Run this check. May be given more than once.
    #[arg(long, value_name = "NAME")]
    check: Vec<String>,
    /// Run these checks, separated by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    only: Vec<String>,
    /// Skip these checks, separated by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    skip: Vec<String>,
    /// Send no requests to the internet.
    #[arg(long)]
    offline: bool,
    /// List the checks and run none.
    #[arg(long)]
    list: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Maximum time of the whole run [default: 5]. Each check gets 2 s of it, or 2/5 of a longer time.
    #[arg(long, value_name = "SECS", value_parser = parse_seconds)]
    timeout: Option<Duration>,
    /// Count warnings as failures in the exit code.
    #[arg(long)]
    strict: bool,
    /// Repair the mode of the device key: asks, repairs, checks again.
    #[arg(long, conflicts_with = "list")]
    fix: bool,
    /// Repair without asking. Needs --fix.
    #[arg(long, requires = "fix", conflicts_with = "dry_run")]
    yes: bool,
    /// Print the repair without making it. Needs --fix.
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// Show the observations and the duration of each check.
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Show problems only.
    #[arg(short, long)]
    quiet: bool,
    /// When to use colours: auto, always or never.
    #[arg(long, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected seconds from 0.1 to 3600".to_owned())
}

/// Exit code when the doctor itself failed, or its report could not be written, whatever the reason: the doctor has no
/// other codes.
const CRASHED: u8 = 2;

/// Runs the command against the node at `node`. A check that still blocks its thread ends with the process, when
/// `main` returns.
pub(crate) fn run(args: &DoctorArgs, config: Config, node: SocketAddr) -> ExitCode {
    let config = config.offline(args.offline);
    keep_panics_of_checks_to_the_report();
    // Without this a panic would end with 101, which scripts would take for some other failure.
    let code = catch_unwind(AssertUnwindSafe(|| examine(args, &config, node))).unwrap_or_else(|_| {
        say_on_stderr("the doctor crashed, please report it");
        CRASHED
    });
    ExitCode::from(code)
}

/// Runs all checks that need no internet within the limits, and returns the report as JSON.
pub(crate) fn report(config: Config, node: SocketAddr, limits: Limits) -> String {
    keep_panics_of_checks_to_the_report();
    let config = config.offline(true);
    let bus: Arc<dyn CapabilityBus> = Arc::new(RemoteBus::new(node, &config.keys_dir));
    render::json(&Doctor::standard().limits(limits).run_all_blocking(&config, &bus))
}

/// Silences the panic messages of checks. They could show secrets on stderr. The report names each panic with secrets
/// hidden.
fn keep_panics_of_checks_to_the_report() {
    // The hook is global, so that it passes on the panics of all other threads.
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !thread::current().name().is_some_and(|name| name.starts_with("doctor:")) {
            usual(panic);
        }
    }));
}

fn examine(args: &DoctorArgs, config: &Config, node: SocketAddr) -> u8 {
    let doctor = match choose(args) {
        Ok(doctor) => doctor,
        Err(error) => {
            say_on_stderr(error);
            return CRASHED;
        }
    };
    let printed = if args.list {
        print(&list(&doctor, args.json)).map(|()| 0)
    } else {
        look(args, &doctor, config, node)
    };
    printed.unwrap_or_else(|error| {
        say_on_stderr(format_args!("cannot write the report: {error}"));
        CRASHED
    })
}

/// Runs the checks and prints the report. With --fix, it repairs and runs them again: text output has a report before
/// and after the repair, JSON has the last one alone.
fn look(args: &DoctorArgs, doctor: &Doctor, config: &Config, node: SocketAddr) -> io::Result<u8> {
    let run = || {
        // A new view for each run: a repair may have made the node reachable.
        let bus: Arc<dyn CapabilityBus> = Arc::new(RemoteBus::new(node, &config.keys_dir));
        doctor.run_all_blocking(config, &bus)
    };
    let mut report = run();
    if args.fix {
        if !args.json {
            print(&show(args, &report))?;
        }
        if fix::repair(&report, config, consent(args)) {
            report = run();
        } else if !args.json {
            return Ok(code(args, &report));
        }
    }
    print(&show(args, &report))?;
    Ok(code(args, &report))
}

fn code(args: &DoctorArgs, report: &Report) -> u8 {
    if args.strict { report.exit_code_strict() } else { report.exit_code() }
}

fn consent(args: &DoctorArgs) -> Consent {
    if args.dry_run {
        Consent::DryRun
    } else if args.yes {
        Consent::Given
    } else {
        Consent::Ask
    }
}

fn choose(args: &DoctorArgs) -> Result<Doctor, Error> {
    let mut doctor = Doctor::standard();
    if !args.check.is_empty() || !args.only.is_empty() {
        doctor = doctor.only(args.check.iter().chain(&args.only))?;
    }
    let doctor = doctor.skip(&args.skip)?;
    Ok(match args.timeout {
        Some(total) => doctor.limits(limits(total)),
        None => doctor,
    })
}

fn limits(total: Duration) -> Limits {
    // Two fifths of the total: a check that waits for another one fits too.
    let usual = Limits::default();
    usual.total(total).per_check(usual.per_check.max(total * 2 / 5))
}

fn list(doctor: &Doctor, json: bool) -> String {
    if json {
        let checks = doctor.checks().map(|check| {
            serde_json::json!({
                "name": check.name(), "category": check.category(), "after": check.dependencies(),
            })
        });
        return format!("{}\n", serde_json::Value::Array(checks.collect()));
    }
    doctor.checks().map(|check| format!("{:<24} {}\n", check.name(), check.category().as_str())).collect()
}

fn show(args: &DoctorArgs, report: &Report) -> String {
    if args.json {
        return render::json(report);
    }
    render::text(report, &TextStyle::for_stdout(args.color).verbose(args.verbose).quiet(args.quiet))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        doctor: DoctorArgs,
    }

    fn chosen(line: &str) -> Result<Vec<String>, Error> {
        let line = Line::parse_from(["doctor"].into_iter().chain(line.split_whitespace()));
        Ok(choose(&line.doctor)?.checks().map(|check| check.name().to_owned()).collect())
    }

    #[test]
    fn checks_are_chosen_by_name_and_stay_in_order() {
        assert_eq!(chosen("").unwrap().len(), 19);
        assert_eq!(chosen("--only disk_space,keys_present").unwrap(), ["keys_present", "disk_space"]);
        assert_eq!(
            chosen("--check disk_space --check keys_present").unwrap(),
            ["keys_present", "disk_space"]
        );
        assert_eq!(chosen("--skip mdns_socket").unwrap().len(), 19, "it is listed, as skipped");
    }

    #[test]
    fn an_unknown_check_exits_with_2_and_lists_the_names() {
        for line in ["--check nosuch", "--only keys_present,nosuch", "--skip nosuch"] {
            let message = chosen(line).unwrap_err().to_string();
            assert!(message.contains("nosuch") && message.contains("recent_error_rate"), "{message}");
        }
        let line = Line::parse_from(["doctor", "--check", "nosuch"]);
        assert_eq!(examine(&line.doctor, &Config::new("/nosuch"), ([127, 0, 0, 1], 7080).into()), 2);
    }

    #[test]
    fn a_repair_needs_confirmation() {
        let parse = |line: &str| Line::try_parse_from(["doctor"].into_iter().chain(line.split_whitespace()));
        let consent = |line: &str| consent(&parse(line).unwrap().doctor);
        assert_eq!(consent("--fix"), Consent::Ask);
        assert_eq!(consent("--fix --yes"), Consent::Given);
        assert_eq!(consent("--fix --dry-run"), Consent::DryRun);
        for bad in ["--yes", "--dry-run", "--fix --yes --dry-run", "--fix --list"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_longer_run_gives_each_check_more_time() {
        assert_eq!(limits(Duration::from_secs(1)).per_check, Duration::from_secs(2));
        assert_eq!(limits(Duration::from_secs(5)), Limits::default());
        assert_eq!(limits(Duration::from_secs(60)).per_check, Duration::from_secs(24));
    }

    #[test]
    fn a_timeout_is_a_number_of_seconds_in_range() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["0", "-1", "NaN", "inf", "soon"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
