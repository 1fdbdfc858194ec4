//! Rate limits of loggers, keys and places in the code.

use obs_log::{Capture, Logger, RateLimited, error_limited, info_limited, warn};

#[test]
fn the_next_line_has_the_number_of_suppressed_ones() {
    static LOG: Logger = Logger::new("test.next");
    let capture = Capture::new();
    let _scope = capture.enter();
    let start = std::time::Instant::now();
    let mut sent = 0_u64;
    while capture.lines().len() < 2 {
        let key = String::from("k");
        info_limited!(LOG, key; "m");
        sent += 1;
    }
    assert!(start.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(capture.lines()[1]["suppressed"], sent - 2);
}

#[test]
fn keys_loggers_and_places_are_limited_separately() {
    static LOG: Logger = Logger::new("test.apart");
    static NOISY: RateLimited = RateLimited::new(Logger::new("test.noisy"));
    let capture = Capture::new();
    let _scope = capture.enter();
    for _ in 0..3 {
        error_limited!(LOG, "a", "m");
        error_limited!(LOG, "b", k = 1; "m");
        warn!(logger: NOISY, "one place");
        warn!(logger: NOISY, "another place");
        warn!(logger: NOISY.key("k"), "by key");
    }
    assert_eq!(capture.lines().len(), 5);
}
