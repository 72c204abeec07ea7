//! The built web UI, embedded in the binary.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::Embed;

/// What Vite wrote to `crates/server/ui/`.
#[derive(Embed)]
#[folder = "ui/"]
#[allow_missing = true]
struct Files;

/// Directory whose files carry a hash of their content in their names.
const HASHED: &str = "assets/";
const INDEX: &str = "index.html";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tachograph</title>\
    <p>UI not built; run <code>cargo xtask ui</code> and start the server again. The API is at \
    <a href=\"/api/status\">/api/status</a>.";

/// A file of the UI; a path that names none is a screen, which the page itself finds.
pub(crate) async fn page(method: Method, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let reserved = |prefix| path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    if reserved("api") || reserved("v1") || !matches!(method, Method::GET | Method::HEAD) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if let Some(response) = file(path) {
        return response;
    }
    if path.starts_with(HASHED) {
        return StatusCode::NOT_FOUND.into_response();
    }
    file(INDEX).unwrap_or_else(|| (no_cache(), Html(NOT_BUILT)).into_response())
}

fn file(path: &str) -> Option<Response> {
    if path.is_empty() || path.split('/').any(|part| part.starts_with('.')) {
        return None;
    }
    let file = Files::get(path)?;
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = HeaderValue::from_str(kind.as_ref()).ok()?;
    let cache = if path.starts_with(HASHED) { immutable() } else { no_cache() };
    Some((cache, [(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response())
}

fn immutable() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"))]
}

fn no_cache() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))]
}
