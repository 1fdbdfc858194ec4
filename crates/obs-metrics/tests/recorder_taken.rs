//! M8: another recorder was there first. Alone in its process.

use obs_metrics::{Config, ErrorKind, Registry};

#[test]
fn a_recorder_that_was_there_first_is_reported_and_no_failure() {
    metrics::set_global_recorder(metrics::NoopRecorder).unwrap();
    obs_metrics::configure(&Config::default()).expect("the rest works all the same");
    let error = Registry::global().serve_macros().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecorderTaken);
    assert!(error.to_string().contains("another recorder"), "{error}");
}
