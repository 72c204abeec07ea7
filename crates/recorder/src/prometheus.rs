//! `GET /metrics` for a Prometheus (`OTEL_METRICS_EXPORTER=prometheus`).
//!
//! The recorder's loop is asked and answers with its next round; text is made outside of it.

mod name;
mod text;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::config::Listen;

pub use text::{CONTENT_TYPE, text};

/// Most connections at once: a pair of servers and some people; more wait.
const MAX_CONNECTIONS: usize = 16;
/// Most scrapes that wait for the loop; more are refused.
const MAX_WAITING: usize = 16;
/// Longest wait for the loop, which looks every few tens of milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time until a request's head is there.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be accepted: the process may be out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a scrape is answered with.
#[derive(Clone, Debug, Default)]
pub struct Scraped {
    /// All metrics, cumulative.
    pub metrics: Vec<Metric>,
    /// The launch.
    pub resource: Resource,
}

/// A scrape that waits.
type Scrape = oneshot::Sender<Scraped>;

/// The listener and the scrapes that wait.
#[derive(Debug)]
pub struct Scrapes {
    waiting: mpsc::Receiver<Scrape>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Scrapes {
    /// Listen.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn listen(listen: &Listen) -> io::Result<Self> {
        let listener = TcpListener::bind((listen.host.as_str(), listen.port)).await?;
        let address = listener.local_addr()?;
        let (sender, waiting) = mpsc::channel(MAX_WAITING);
        let router = Router::new().route("/metrics", get(metrics)).with_state(sender);
        Ok(Self { waiting, address, server: tokio::spawn(serve(listener, router)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Whoever waits for an answer now.
    pub fn take(&mut self) -> Vec<Scrape> {
        std::iter::from_fn(|| self.waiting.try_recv().ok()).take(MAX_WAITING).collect()
    }
}

impl Drop for Scrapes {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, router: Router) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!("a scrape's connection is lost: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
    if let Err(error) = served {
        tracing::debug!("a scrape ended: {error}");
    }
}

async fn metrics(State(loop_): State<mpsc::Sender<Scrape>>) -> Response {
    let (reply, answer) = oneshot::channel();
    let busy = (StatusCode::SERVICE_UNAVAILABLE, "the recorder is busy or ends, try again\n");
    if loop_.try_send(reply).is_err() {
        return busy.into_response();
    }
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(scraped)) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text(&scraped)).into_response(),
        _ => busy.into_response(),
    }
}
