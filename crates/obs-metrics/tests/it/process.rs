//! M9: the process as the kernel sees it.

use obs_metrics::{Registry, process};

fn proc_self(file: &str) -> String {
    std::fs::read_to_string(format!("/proc/self/{file}")).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn process_families_agree_with_proc_self() {
    let registry = Registry::new();
    process::collect_in(&registry);
    let value = |name: &str| registry.value(name, &[]).unwrap_or_else(|| panic!("no {name}"));

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
fn build_info_can_be_told() {
    let registry = Registry::new();
    process::set_build_info(&registry, "1.2.3").unwrap();
    process::set_build_info(&registry, "1.2.4").unwrap();
    assert_eq!(registry.value("hearthnet_build_info", &[("version", "1.2.4")]), Some(1.0));
    assert_eq!(registry.value("hearthnet_build_info", &[]), Some(1.0));
}

#[test]
fn the_global_page_has_the_process() {
    let page = obs_metrics::render(obs_metrics::Format::Text);
    for name in ["process_cpu_seconds_total", "process_start_time_seconds", "hearthnet_build_info"] {
        assert!(page.contains(&format!("# TYPE {name} ")), "{name}");
    }
}
