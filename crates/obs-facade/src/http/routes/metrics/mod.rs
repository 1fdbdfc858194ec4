//! `GET /metrics`.

mod accept;
mod body;
mod query;
mod scrapes;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use obs_metrics::Format;

use self::accept::accepts_encoding;
use self::body::PageBody;
use self::query::wants_ranges;
use self::scrapes::Page;

pub(super) async fn page(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let format = match wants_ranges(query.as_deref().unwrap_or_default()) {
        Ok(true) => Format::VmRange,
        Ok(false) => Format::negotiate(joined(&headers, ACCEPT).as_deref()),
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let gzip = accepts_encoding(joined(&headers, ACCEPT_ENCODING).as_deref(), "gzip");
    match scrapes::page(format, gzip).await {
        Some(Page { body, is_compressed }) => respond(format, body, is_compressed),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn respond(format: Format, body: Bytes, gzip: bool) -> Response {
    let mut response = Response::new(Body::new(PageBody::new(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Joins the values of a list header: several lines read as one list (RFC 9110, section 5.3).
fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}
