//! What protects a browser's user: the Host check and the security headers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// Scripts and data from here only. Inline styles are allowed: Svelte sets them on elements, and they load nothing.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Names under which the server may be addressed.
#[derive(Clone, Debug)]
pub(super) struct Hosts(Arc<[String]>);

impl Hosts {
    /// The loopback names and `more`.
    pub(super) fn new(more: Vec<String>) -> Self {
        let loopback = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let more = more.into_iter().map(|host| host.to_ascii_lowercase());
        Self(loopback.into_iter().chain(more).collect())
    }

    fn allow(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

/// Refuse a name that is not ours: a web page elsewhere may have bound its own name to this address (DNS rebinding),
/// and the browser would take our answers for that page's.
pub(super) async fn check_host(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    let host = header.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    if hosts.allow(host) {
        return next.run(request).await;
    }
    let message = format!("the server is not known as this host; use localhost or allow the name: {host}\n");
    (StatusCode::FORBIDDEN, message).into_response()
}

/// Add the security headers.
pub(super) fn with_headers(mut response: Response) -> Response {
    response.headers_mut().extend(HEADERS);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_and_configured_ones_are_ours_with_any_port() {
        let hosts = Hosts::new(vec!["Trace.Example".to_owned()]);
        for host in ["localhost", "LOCALHOST:4319", "127.0.0.1:1", "[::1]:4319", "[::1]", "trace.example:443"] {
            assert!(hosts.allow(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:4319", "localhost:x", "::1"]
        {
            assert!(!hosts.allow(host), "{host}");
        }
    }
}
