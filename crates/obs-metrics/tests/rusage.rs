//! Families of the process, compared with `getrusage`. Alone in its process, because it keeps a processor busy.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "`getrusage` is a call into C")]

use obs_metrics::{Registry, process, testing};

struct Usage {
    cpu_seconds: f64,
    most_resident_bytes: f64,
}

fn usage() -> Usage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to memory of that type; all bits zero are a valid value of it, should the call fail.
    let usage = unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Usage {
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        most_resident_bytes: usage.ru_maxrss as f64 * 1024.0,
    }
}

#[test]
fn process_families_agree_with_getrusage() {
    let registry = Registry::new();
    process::collect_in(&registry);
    while usage().cpu_seconds < 0.5 {
        std::hint::black_box((0..100_000).sum::<u64>());
    }
    let before = usage();
    let cpu = testing::value(&registry, "process_cpu_seconds_total", &[]).unwrap();
    let resident = testing::value(&registry, "process_resident_memory_bytes", &[]).unwrap();
    let after = usage();
    // `/proc` counts user and system time in ticks of 10 ms each.
    let within = before.cpu_seconds - 0.03..=after.cpu_seconds + 0.03;
    assert!(within.contains(&cpu), "{cpu} s, and {within:?} by getrusage");
    assert!(resident > 0.0 && resident <= after.most_resident_bytes * 1.1, "{resident} bytes");
}
