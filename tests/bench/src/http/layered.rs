//! axum with a layer around its routes that records nothing: what any layer costs.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use tower_http::map_response_body::MapResponseBodyLayer;

use super::Stack;
use super::plain::Plain;

pub(super) struct Layered(Plain);

impl Stack for Layered {
    const NAME: &'static str = super::LAYERED;
    const LINES: &'static [&'static str] = Plain::LINES;
    const COUNTED: &'static str = Plain::COUNTED;

    fn start(folder: &Path, collector: &str) -> Self {
        Layered(Plain::start(folder, collector))
    }

    fn routes(&self) -> Router {
        // A layer that sees the end of a response has a body of its own.
        self.0.routes().layer(MapResponseBodyLayer::new(|body: Body| body.map_err(|error| error)))
    }
}
