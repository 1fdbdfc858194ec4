//! Export of traces.

use std::fs;

use serde_json::json;

use crate::node::{ECHO, Home};
use crate::tls_backend::TlsBackend;

/// The collector has a certificate of its owner's own making.
#[tokio::test]
async fn a_collector_behind_https_is_trusted_by_the_certificates_of_the_system() {
    let collector = TlsBackend::start();
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    for (certificates, samples) in [
        (&collector.certificate, [("traces_total", "{outcome=\"exported\"}", 1.0), ("failing", "", 0.0)]),
        (&stranger, [("failing", "", 1.0), ("traces_total", "{outcome=\"exported\"}", 0.0)]),
    ] {
        let home = Home::new();
        let trusted = home.path().join("trusted.pem");
        fs::write(&trusted, certificates).unwrap();
        let endpoint =
            format!("observability = {{ otlp_endpoint = \"https://localhost:{}\" }}", collector.port);
        let node = home.start_trusting(&trusted, &endpoint);
        node.call(ECHO, &json!({})).send().await.unwrap();
        for (name, labels, wanted) in samples {
            node.wait_for_metric(&format!("hearthnet_trace_export_{name}"), labels, wanted).await;
        }
    }
}
