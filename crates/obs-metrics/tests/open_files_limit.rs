//! The limit on open files of a process whose page is made. It belongs to the process, so this test has one of its own.

#![cfg(target_os = "linux")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_page_leaves_the_soft_limit_as_it_is() {
    let usual = getrlimit(Resource::Nofile);
    assert!(usual.maximum.is_none_or(|maximum| maximum > 64), "{usual:?}");
    let lowered = Rlimit { current: Some(64), ..usual };
    setrlimit(Resource::Nofile, lowered).unwrap();
    let registry = obs_metrics::Registry::new();
    obs_metrics::process::collect_in(&registry);
    for _ in 0..2 {
        assert_eq!(obs_metrics::testing::value(&registry, "process_max_fds", &[]), Some(64.0));
        assert_eq!(getrlimit(Resource::Nofile), lowered);
    }
}
