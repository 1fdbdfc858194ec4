//! axum alone.

use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};

use super::{Stack, replies};

pub(super) struct Plain;

impl Stack for Plain {
    const NAME: &'static str = super::PLAIN;
    const LINES: &'static [&'static str] = &[];
    const COUNTED: &'static str = "";

    fn start(_: &Path, _: &str) -> Self {
        Plain
    }

    fn routes(&self) -> Router {
        Router::new()
            .route("/echo", post(|body: Bytes| async { body }))
            .route("/stream", get(|| async { replies::chunks() }))
    }
}
