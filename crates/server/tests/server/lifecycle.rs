//! Starting and stopping.

use tachograph_server::{Config, Error, serve};

use crate::running::{Running, config};

#[tokio::test]
async fn a_port_in_use_is_named_with_the_flag_that_changes_it_and_nothing_is_touched() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let data = tempfile::tempdir().unwrap();
    let fresh = data.path().join("new");
    let base = config(&fresh);
    let cases = [
        (Config { grpc_addr: addr, ..base.clone() }, "--grpc-addr"),
        (Config { otlp_http_addr: addr, ..base.clone() }, "--http-addr"),
        (Config { api_addr: addr, ..base.clone() }, "--addr"),
    ];
    for (config, flag) in cases {
        let error = serve(config, std::future::pending()).await.unwrap_err();
        assert!(matches!(error, Error::PortInUse { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains(flag) && message.ends_with(&addr.to_string()), "{message}");
        assert!(!fresh.exists(), "no data directory is made");
    }
}

#[tokio::test]
async fn a_data_directory_that_another_server_uses_is_refused() {
    let server = Running::start().await;
    let error = serve(config(&server.data()), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains(&server.data().display().to_string()), "{error}");
    assert!(matches!(error, Error::Store(_)));
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let open = Config { api_addr: "0.0.0.0:0".parse().unwrap(), ..config(data.path()) };
    let error = serve(open, std::future::pending()).await.unwrap_err();
    assert!(matches!(error, Error::NotLoopback { .. }), "{error}");
}

#[tokio::test]
async fn a_stopped_server_answers_no_more_and_frees_its_directory_also_with_an_idle_connection() {
    let server = Running::start().await;
    let (api, client) = (server.api("/healthz"), server.client.clone());
    assert_eq!(client.get(&api).send().await.unwrap().status(), 200, "leaves a connection open");
    let (stopped, data) = server.stop().await;
    stopped.unwrap();
    assert!(client.get(&api).send().await.is_err());
    let again = Running::start_in(data).await;
    assert_eq!(again.get("/api/status").await.0, 200);
}
