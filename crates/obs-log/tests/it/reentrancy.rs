//! User's code that logs or panics while it is logged.

use std::fmt;
use std::panic::catch_unwind;

use obs_log::{Capture, info};

struct Logs;

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(depth = 1; "from inside");
        f.write_str("shown")
    }
}

struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        panic!("on purpose")
    }
}

#[test]
fn logging_inside_a_display_gives_two_clean_lines() {
    let capture = Capture::new();
    let _scope = capture.enter();
    info!(field:% = Logs; "{}", Logs);
    let messages: Vec<_> =
        capture.lines().iter().map(|line| line["msg"].as_str().unwrap().to_owned()).collect();
    assert_eq!(messages, ["from inside", "from inside", "shown"]);
    assert_eq!(capture.lines()[2]["field"], "shown");
}

#[test]
fn a_panic_inside_a_display_stays_in_its_value() {
    let capture = Capture::new();
    let _scope = capture.enter();
    catch_unwind(|| info!(bad:% = Panics, good = 1; "{}", Panics)).expect("a log call does not panic");
    info!("next");
    let lines = capture.lines();
    assert_eq!(lines[0]["msg"], "half[panicked while formatting]");
    assert_eq!((&lines[0]["bad"], &lines[0]["good"]), (&"[panicked while formatting]".into(), &1.into()));
    assert_eq!(lines[1]["msg"], "next");
}

/// The payload of the panic panics when it is dropped, and so does the payload of that panic.
#[test]
fn a_payload_that_panics_again_stays_in_its_value_too() {
    struct Bomb(u32);
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(Bomb(self.0 + 1));
        }
    }
    struct Throws;
    impl fmt::Display for Throws {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            std::panic::panic_any(Bomb(0));
        }
    }
    let capture = Capture::new();
    let _scope = capture.enter();
    info!(bad:% = Throws, good = 1; "{}", Throws);
    let line = &capture.lines()[0];
    assert_eq!((&line["msg"], &line["good"]), (&"[panicked while formatting]".into(), &1.into()));
}

#[test]
fn logging_while_a_thread_ends_does_no_harm() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            let _scope = Capture::new().enter();
            info!(by:% = "a thread-local"; "last words");
        }
    }
    thread_local!(static LAST: Last = const { Last });
    let thread = std::thread::spawn(|| {
        LAST.with(|_| ());
        let _scope = Capture::new().enter();
        info!("makes the buffers, which are gone before the last words");
    });
    thread.join().expect("the thread ends well");
}
