//! Families of the process, compared with the kernel.

use obs_metrics::{Registry, process, testing};

fn proc_self(file: &str) -> String {
    std::fs::read_to_string(format!("/proc/self/{file}")).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn process_families_agree_with_proc_self() {
    let registry = Registry::new();
    process::collect_in(&registry);
    let value = |name: &str| testing::value(&registry, name, &[]).unwrap_or_else(|| panic!("no {name}"));

    let status = proc_self("status");
    let resident_kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|text| text.trim().parse().ok())
        .unwrap();
    let ratio = value("process_resident_memory_bytes") / (resident_kib * 1024.0);
    assert!((0.5..2.0).contains(&ratio), "{ratio}");

    let limits = proc_self("limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: f64 = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(value("process_max_fds"), soft);

    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as f64;
    assert!((value("process_open_fds") - open).abs() <= 20.0, "{} and {open}", value("process_open_fds"));

    // Fields 14, 15 and 22 of `stat`, the first two counted from after the command's closing bracket.
    let stat = proc_self("stat");
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .skip(1)
        .map(|f| f.parse().unwrap_or(0.0))
        .collect();
    let ticks = 100.0;
    let cpu = (fields[10] + fields[11]) / ticks;
    assert!(
        (value("process_cpu_seconds_total") - cpu).abs() < 2.0,
        "{} and {cpu}",
        value("process_cpu_seconds_total")
    );
    let boot = std::fs::read_to_string("/proc/stat").unwrap();
    let boot: f64 = boot.lines().find_map(|line| line.strip_prefix("btime ")).unwrap().parse().unwrap();
    assert!((value("process_start_time_seconds") - (boot + fields[18] / ticks)).abs() < 3.0);
}

#[test]
fn the_version_in_build_info_is_settable() {
    let registry = Registry::new();
    process::set_build_info(&registry, "1.2.3").unwrap();
    process::set_build_info(&registry, "1.2.4").unwrap();
    assert_eq!(testing::value(&registry, "hearthnet_build_info", &[("version", "1.2.4")]), Some(1.0));
    assert_eq!(testing::value(&registry, "hearthnet_build_info", &[]), Some(1.0));
}

#[test]
fn the_global_page_has_the_process_families() {
    let page = obs_metrics::render(obs_metrics::Format::Text);
    for name in ["process_cpu_seconds_total", "process_start_time_seconds", "hearthnet_build_info"] {
        assert!(page.contains(&format!("# TYPE {name} ")), "{name}");
    }
}

/// Page of a process in namespaces of its own.
#[cfg(target_os = "linux")]
mod in_namespaces {
    use std::collections::BTreeMap;
    use std::io::Write as _;
    use std::process::Command;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use obs_metrics::{Format, Registry, process};

    use crate::exposition;

    const CHILD: &str = "PROCESS_PAGE_OF_CHILD";

    /// Run by the other tests in a process of its own. Prints its page. If there is a shell script, runs it and prints the
    /// page again.
    #[test]
    fn child() {
        let Some(between) = std::env::var_os(CHILD) else { return };
        let registry = Registry::new();
        process::collect_in(&registry);
        let show = || println!("{}\n~", registry.render(Format::Text));
        show();
        if !between.is_empty() {
            let done = Command::new("sh").arg("-ec").arg(between).status().unwrap();
            assert!(done.success());
            let begun = Instant::now();
            // Within 100 ms the page would show the same reading.
            while begun.elapsed() < Duration::from_millis(150) {
                std::thread::yield_now();
            }
            show();
        }
    }

    type Values = BTreeMap<String, f64>;

    /// Returns the values of `process_*` on each page that a child prints. Returns `None`, and says so on stderr, if the
    /// system refuses such namespaces.
    fn pages(test: &str, unshare: &[&str], setup: &str, between: &str) -> Option<Vec<Values>> {
        let allowed =
            Command::new("unshare").args(unshare).args(["sh", "-ec", &format!("{setup}\ntrue")]).output();
        if !allowed.as_ref().is_ok_and(|output| output.status.success()) {
            let _ = writeln!(
                std::io::stderr(),
                "{test}: skipped: needs root and `unshare {}`",
                unshare.join(" ")
            );
            return None;
        }
        let shell = format!("{setup}\nexec \"$0\" \"$@\"");
        let child = Command::new("unshare")
            .args(unshare)
            .args(["sh", "-ec", &shell])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "process::in_namespaces::child", "--nocapture", "--test-threads=1"])
            .env(CHILD, between)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
        let mut pages: Vec<&str> = said.split("\n~\n").collect();
        pages.pop();
        Some(pages.into_iter().map(values).collect())
    }

    fn values(page: &str) -> Values {
        let lines = page.lines().filter(|line| line.starts_with("process_")).collect::<Vec<_>>().join("\n");
        exposition::samples(&lines).into_iter().map(|sample| (sample.name.clone(), sample.number())).collect()
    }

    fn now() -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
    }

    /// Asserts that the page of the child is complete, and that the child started between `before` and now.
    fn assert_right(values: &Values, before: f64) {
        let names =
            ["cpu_seconds_total", "max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds"];
        let found: Vec<&str> = values.keys().map(|name| name.trim_start_matches("process_")).collect();
        assert_eq!(found, names);
        let start = values["process_start_time_seconds"];
        assert!((before - 0.1..=now() + 0.1).contains(&start), "{before} {start} {}", now());
        assert!((1e5..1e10).contains(&values["process_resident_memory_bytes"]), "{values:?}");
        assert!((3.0..100.0).contains(&values["process_open_fds"]), "{values:?}");
    }

    /// Returns a shell script that mounts another file over `/proc/stat`.
    fn fake_btime(btime: &str) -> String {
        format!("f=$(mktemp); echo 'cpu 1 1 1 1\nbtime {btime}' >$f; mount --bind $f /proc/stat; rm $f")
    }

    const OWN_PROC: &[&str] = &["--mount", "--pid", "--fork"];

    #[test]
    fn the_start_is_right_if_proc_stat_is_hidden() {
        let before = now();
        let setup = "mount -t proc -o subset=pid proc /proc; test ! -e /proc/stat";
        let Some(pages) = pages("proc_stat_hidden", OWN_PROC, setup, "") else { return };
        assert_right(&pages[0], before);
    }

    /// The `btime` of a container changes when the clock is set, as that of the kernel does, and may be in the future.
    #[test]
    fn the_start_is_right_and_constant_for_any_btime() {
        for btime in ["0", "1000000000", "4000000000"] {
            let before = now();
            let setup = format!("mount -t proc proc /proc; {}", fake_btime(btime));
            let step = format!("umount /proc/stat; {}", fake_btime("1000"));
            let Some(pages) = pages("btime", OWN_PROC, &setup, &step) else { return };
            assert_right(&pages[0], before);
            assert_right(&pages[1], before);
            let start = |page: usize| pages[page]["process_start_time_seconds"];
            assert_eq!(start(0), start(1), "btime {btime}");
        }
    }

    #[test]
    fn the_start_is_right_in_a_time_namespace() {
        for boottime in ["100000000", "-1"] {
            let before = now();
            let unshare = ["--time", "--boottime", boottime, "--fork"];
            let Some(pages) = pages("time_namespace", &unshare, "", "") else { return };
            assert_right(&pages[0], before);
        }
    }

    /// In that `/proc` the ID of this process belongs to another one, the first of the machine.
    #[test]
    fn the_values_are_right_if_proc_uses_other_process_ids() {
        let before = now();
        let Some(pages) = pages("foreign_proc", &["--pid", "--fork"], "", "") else { return };
        assert_right(&pages[0], before);
    }

    #[test]
    fn hidden_values_are_left_out() {
        let start = "process_start_time_seconds";
        let fds = "mount -t tmpfs -o mode=0 none /proc/$$/fd; mount --bind /dev/null /proc/$$/limits";
        let btime = |value| format!("mount -t proc proc /proc; {}", fake_btime(value));
        for (setup, there, missing) in [
            ("mount -t tmpfs none /proc", "", start),
            ("mount -t proc proc /proc; mount --bind /dev/null /proc/$$/stat", "", start),
            (&*format!("mount -t proc proc /proc; {fds}"), start, "process_max_fds"),
            // Numbers that make no sense: the start is left out, or is right.
            (&*btime("18446744073709551615"), start, ""),
            (&*btime("-1"), start, ""),
        ] {
            let Some(pages) = pages("hidden", OWN_PROC, setup, "") else { return };
            let shown = &pages[0];
            assert!(there.is_empty() || shown.contains_key(there), "{setup}: {shown:?}");
            assert!(!shown.contains_key(missing), "{setup}: {shown:?}");
            let is_right = |start: &f64| (now() - 60.0..now() + 0.1).contains(start);
            assert!(shown.get(start).is_none_or(is_right), "{setup}: {shown:?}");
        }
    }

    #[test]
    fn a_command_of_any_name_has_a_start() {
        let before = now();
        // Mounted for users who see only their own processes.
        let setup = "mount -t proc -o hidepid=2 proc /proc; dir=/sys; mount -t tmpfs none $dir; \
                     cp \"$0\" \"$dir/) R 1 (\"; exec \"$dir/) R 1 (\" \"$@\"";
        let Some(pages) = pages("command_name", OWN_PROC, &format!("[ \"$0\" = sh ] || {{ {setup}; }}"), "")
        else {
            return;
        };
        assert_right(&pages[0], before);
    }
}
