//! Export over TLS, with an authority of one's own and with a client's certificate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;
mod sink;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use script::*;
use sink::Sink;
use tachograph_recorder::Config;
use tachograph_recorder::health::Unit;
use tachograph_ring::Writer;
use tachograph_ring::record::HttpOutcome;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// Certificate and key, PEM.
struct Pair {
    certificate: String,
    key: String,
}

/// An authority, and a certificate of it for 127.0.0.1.
fn certificates() -> (String, Pair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    (authority.pem(), Pair { certificate: leaf.pem(), key: key.serialize_pem() })
}

async fn grpc(sink: &Sink, authority: &str, pair: &Pair) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(&pair.certificate, &pair.key))
        .client_ca_root(Certificate::from_pem(authority));
    let router = tonic::transport::Server::builder().tls_config(tls).unwrap().add_routes(sink.grpc_routes());
    tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
    address
}

/// `client`: the authority whose certificate a client must show.
async fn http(sink: &Sink, pair: &Pair, client: Option<&str>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let builder = match client {
        None => rustls::ServerConfig::builder().with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
            rustls::ServerConfig::builder().with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(chain, key).unwrap();
    let (acceptor, routes) = (TlsAcceptor::from(Arc::new(config)), sink.http_routes());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, routes) = (acceptor.clone(), routes.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = TowerToHyperService::new(routes);
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// Record one request against `https://address`; returns spans sent.
async fn sent(sink: &Sink, address: SocketAddr, vars: &[(&str, String)]) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let mut ring = Writer::create(dir.path(), 1 << 16).unwrap();
    ring.write(&http_start(0, 1, "/v1/completions"));
    ring.write(&http_end(1, 1, HttpOutcome::Complete, ""));
    drop(ring);
    let get = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(format!("https://{address}")),
        "OTEL_BSP_SCHEDULE_DELAY" => Some("10".to_owned()),
        "OTEL_SERVICE_NAME" => Some("x".to_owned()),
        _ => vars.iter().find(|(k, _)| *k == name).map(|(_, v)| v.clone()),
    };
    let began = Instant::now();
    let until_sent = async {
        while sink.seen(|s| s.spans.is_empty()) && began.elapsed() < Duration::from_secs(3) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let config = Config::from_vars(dir.path(), &get).unwrap();
    let summary = tachograph_recorder::run(config, until_sent).await.unwrap();
    summary.counts.sent.get(&Unit::Spans).copied().unwrap_or(0)
}

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn over_http_with_an_authority_of_ones_own() {
    let ((authority, pair), dir, sink) = (certificates(), tempfile::tempdir().unwrap(), Sink::default());
    let address = http(&sink, &pair, None).await;
    let vars = [
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", file(dir.path(), "ca.pem", &authority)),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
    ];
    assert_eq!(sent(&sink, address, &vars).await, 2);
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_spans_only_from_a_client_that_has_one() {
    for over_http in [false, true] {
        let ((authority, pair), dir, sink) = (certificates(), tempfile::tempdir().unwrap(), Sink::default());
        let (address, protocol) = match over_http {
            true => (http(&sink, &pair, Some(&authority)).await, "http/protobuf"),
            false => (grpc(&sink, &authority, &pair).await, "grpc"),
        };
        let mut vars = vec![
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", file(dir.path(), "ca.pem", &authority)),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ];
        assert_eq!(sent(&sink, address, &vars).await, 0, "{protocol}");
        vars.push(("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file(dir.path(), "c.pem", &pair.certificate)));
        vars.push(("OTEL_EXPORTER_OTLP_CLIENT_KEY", file(dir.path(), "k.pem", &pair.key)));
        assert_eq!(sent(&sink, address, &vars).await, 2, "{protocol}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_nothing() {
    let ((_, pair), (other, _), dir, sink) =
        (certificates(), certificates(), tempfile::tempdir().unwrap(), Sink::default());
    let address = http(&sink, &pair, None).await;
    let vars = [
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", file(dir.path(), "ca.pem", &other)),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
    ];
    assert_eq!(sent(&sink, address, &vars).await, 0);
}
