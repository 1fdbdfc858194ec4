//! The built files of the page, which are part of the program.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::answer::{accepts_gzip, gzip};
use crate::refused::Refused;

/// Folder of scripts and styles.
const ASSETS: &str = "assets/";

/// Letters of the hash at the end of a name that changes with the contents, such as `main-B3f9aXy_.js`.
const HASH_LETTERS: usize = 8;

/// File for the page's own addresses, such as `traces?status=failed`.
const INDEX: &str = "index.html";

/// Names and contents, written by `build.rs`.
static BUILT: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The files in the form in which they are sent. They are compressed once.
static FILES: LazyLock<Vec<File>> =
    LazyLock::new(|| BUILT.iter().map(|(name, contents)| File::new(name, contents)).collect());

struct File {
    name: &'static str,
    contents: &'static [u8],
    compressed: Option<Vec<u8>>,
    tag: String,
}

/// Returns the response for a path below `/console/`.
pub(super) fn response(path: &str, headers: &HeaderMap) -> Response {
    match find(path) {
        Some(file) => file.response(headers),
        None => Refused::not_found("there is no such file").into_response(),
    }
}

/// Returns a file by its path, or the page for a path that is one of its own addresses.
fn find(path: &str) -> Option<&'static File> {
    let by_name = |wanted: &str| FILES.iter().find(|file| file.name == wanted);
    // The names of files have a dot. An address of the page can have one in the name of a capability, below the first part.
    let is_address =
        !path.starts_with(ASSETS) && !path.split('/').next().is_some_and(|first| first.contains('.'));
    by_name(path).or_else(|| is_address.then(|| by_name(INDEX)).flatten())
}

impl File {
    fn new(name: &'static str, contents: &'static [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        contents.hash(&mut hasher);
        let compressed = gzip(contents, Compression::best()).ok();
        File {
            name,
            contents,
            compressed: compressed.filter(|compressed| compressed.len() < contents.len()),
            tag: format!("\"{:016x}\"", hasher.finish()),
        }
    }

    fn response(&'static self, headers: &HeaderMap) -> Response {
        let compressed = self.compressed.as_deref().filter(|_| accepts_gzip(headers));
        let is_known = headers.get(IF_NONE_MATCH).is_some_and(|tags| {
            // A weak tag has `W/` before it.
            tags.to_str()
                .is_ok_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.tag))
        });
        let mut response = match is_known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => Response::new(Body::from(compressed.unwrap_or(self.contents))),
        };
        let to = response.headers_mut();
        to.insert(CACHE_CONTROL, HeaderValue::from_static(self.caching()));
        to.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            to.insert(ETAG, tag);
        }
        if !is_known {
            to.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type()));
            if compressed.is_some() {
                to.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
        }
        response
    }

    fn caching(&self) -> &'static str {
        if is_hashed(self.name) { "public, max-age=31536000, immutable" } else { "no-cache" }
    }

    fn media_type(&self) -> &'static str {
        match self.name.rsplit('.').next().unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "ico" => "image/x-icon",
            "woff2" => "font/woff2",
            "json" | "map" => "application/json",
            "webmanifest" => "application/manifest+json",
            "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

/// Returns whether the name of a file changes with its contents.
fn is_hashed(name: &str) -> bool {
    let stem = name.strip_prefix(ASSETS).and_then(|name| name.rsplit_once('.')).map(|(stem, _)| stem);
    let hash = stem.and_then(|stem| stem.get(stem.len().checked_sub(HASH_LETTERS + 1)?..));
    hash.and_then(|hash| hash.strip_prefix('-')).is_some_and(|hash| {
        hash.bytes().any(|letter| letter.is_ascii_digit() || letter.is_ascii_uppercase())
            && hash.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_without_a_question() {
        for name in ["assets/main-B3f9aXy_.js", "assets/a.b-01234567.css"] {
            assert!(is_hashed(name), "{name}");
        }
        for name in [
            "assets/console.js",
            "main-B3f9aXy_.js",
            "assets/a-b.js",
            "assets/uplot-overview.js",
            "index.html",
        ] {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn addresses_of_the_page_are_the_page_and_unknown_files_are_not() {
        for path in ["", "index.html", "traces", "traces/01ABC", "metrics/llm.chat", "logs/"] {
            assert!(find(path).is_some_and(|file| file.name == INDEX), "{path}");
        }
        for path in ["assets/", "assets/none.js", "assets/none", "none.js", ".env", "../Cargo.toml"] {
            assert!(find(path).is_none_or(|file| file.name == path), "{path}");
        }
    }

    #[test]
    fn a_known_version_is_not_sent_again() {
        let first = response("", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CACHE_CONTROL], "no-cache");
        for prefix in ["", "W/", "\"other\", "] {
            let mut headers = HeaderMap::new();
            let tags = format!("{prefix}{}", first.headers()[ETAG].to_str().unwrap());
            headers.insert(IF_NONE_MATCH, tags.parse().unwrap());
            assert_eq!(response("", &headers).status(), StatusCode::NOT_MODIFIED, "{prefix}");
        }
    }

    #[test]
    fn the_page_is_small_and_has_its_files() {
        let bytes: usize =
            FILES.iter().map(|file| file.compressed.as_ref().map_or(file.contents.len(), Vec::len)).sum();
        assert!(bytes <= 150_000, "{bytes} bytes compressed");
        let index = std::str::from_utf8(find("").unwrap().contents).unwrap();
        for part in index.split('"').filter(|part| part.contains(ASSETS)) {
            let name = &part[part.find(ASSETS).unwrap()..];
            assert!(BUILT.iter().any(|(built, _)| *built == name), "{name}");
        }
    }
}
