//! Another recorder that was installed first. Alone in its process, because the recorder is global.

use obs_metrics::{Config, ErrorKind, Registry};

#[test]
fn an_earlier_recorder_is_reported_and_does_not_fail_configure() {
    metrics::set_global_recorder(metrics::NoopRecorder).unwrap();
    obs_metrics::configure(&Config::default()).expect("everything else works");
    let error = Registry::global().serve_macros().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecorderTaken);
    assert!(error.to_string().contains("another recorder"), "{error}");
}
