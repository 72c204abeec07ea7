//! The UI and what protects its user.

use crate::running::Running;

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Running::start().await;
    for path in ["/", "/requests", "/api/status", "/api/nothing", "/healthz", "/assets/none.js"] {
        let response = server.client.get(server.api(path)).send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for part in ["default-src 'self'", "script-src 'self'", "frame-ancestors 'none'", "img-src 'self' data:"] {
            assert!(policy.split("; ").any(|p| p == part), "{path}: {policy}");
        }
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert!(response.headers().get("access-control-allow-origin").is_none(), "{path}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_refused_on_every_path() {
    let server = Running::start().await;
    for path in ["/", "/api/requests", "/api/status", "/healthz"] {
        for (host, expected) in
            [("evil.example", 403), ("localhost.evil.example", 403), ("localhost:4319", 200), ("[::1]", 200)]
        {
            let response = server.client.get(server.api(path)).header("host", host).send().await.unwrap();
            assert_eq!(response.status(), expected, "{path} {host}");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        }
    }
}

#[tokio::test]
async fn screens_fall_back_to_the_page_and_the_api_does_not() {
    let server = Running::start().await;
    let get = |path: &'static str| server.client.get(server.api(path)).header("accept", "text/html").send();
    for path in ["/", "/requests", "/requests/0123", "/apis", "/v10"] {
        let response = get(path).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"].to_str().unwrap().split(';').next(), Some("text/html"), "{path}");
        assert_eq!(response.headers()["cache-control"], "no-cache", "{path}");
    }
    for path in ["/api", "/api/", "/api/unknown", "/v1/traces", "/assets/gone-123.js"] {
        assert_eq!(get(path).await.unwrap().status(), 404, "{path}");
    }
    assert_eq!(server.client.post(server.api("/requests")).send().await.unwrap().status(), 404);
    assert_eq!(server.client.post(server.api("/api/requests")).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn files_that_start_with_a_dot_are_not_served() {
    let server = Running::start().await;
    let text = async |path: &str| server.client.get(server.api(path)).send().await.unwrap().text().await.unwrap();
    assert_eq!(text("/.gitignore").await, text("/").await, "a screen of that name, not the file");
}

#[tokio::test]
async fn answers_are_compressed_where_that_is_understood() {
    let server = Running::start().await;
    // The test's client would undo it.
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let ask = |encoding: &'static str| plain.get(server.api("/api/facets")).header("accept-encoding", encoding).send();
    assert_eq!(ask("gzip").await.unwrap().headers()["content-encoding"], "gzip");
    assert!(ask("identity").await.unwrap().headers().get("content-encoding").is_none());
}

#[tokio::test]
async fn the_server_says_that_it_is_healthy_and_ready() {
    let server = Running::start().await;
    for path in ["/healthz", "/readyz"] {
        let response = server.client.get(server.api(path)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, "ok\n"), "{path}");
    }
    let status = server.json("/api/status").await;
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["start_ms"].as_f64().unwrap() > 1.7e12);
}
