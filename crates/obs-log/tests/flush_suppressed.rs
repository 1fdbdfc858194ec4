//! Report of suppressed lines at a flush. Alone in its binary, because a flush reports those of all threads.

use obs_log::{Capture, Logger, warn_limited};

/// Suppressed lines are counted, even if no further line follows.
#[test]
fn a_flood_of_one_call_site_passes_once_and_is_counted_at_a_flush() {
    static LOG: Logger = Logger::new("test.flood");
    let capture = Capture::new();
    let _scope = capture.enter();
    let mut evaluated = 0;
    for at in 0..1000 {
        warn_limited!(LOG, "peer_quarantined", at = { evaluated += 1; at }; "peer is {}", "quarantined");
    }
    obs_log::flush(std::time::Duration::from_secs(1));
    let lines: Vec<_> = capture.lines().into_iter().filter(|line| line["logger"] == "test.flood").collect();
    assert_eq!((lines.len(), evaluated), (2, 1));
    assert_eq!((&lines[0]["msg"], &lines[0]["at"]), (&"peer is quarantined".into(), &0.into()));
    assert!(lines[0].get("suppressed").is_none());
    assert_eq!(lines[1]["suppressed"], 999);
    assert_eq!((&lines[1]["key"], &lines[1]["level"]), (&"peer_quarantined".into(), &"warning".into()));
}
