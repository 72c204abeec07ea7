//! From a configuration to a running server, and back to a closed store.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tachograph_store::{Embedded, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{self, Api};
use crate::config::{Config, Door};
use crate::error::Error;
use crate::health::Health;
use crate::ingest::OtlpDecoder;
use crate::receive::{Receiver, otlp_grpc, otlp_http};

/// Longest time that open connections have to finish after the signal to stop: what a sender waits for is at most one
/// export, and a browser's idle connection must not hold up a restart.
const GRACE: Duration = Duration::from_secs(5);

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// The API and the web UI.
    pub api: SocketAddr,
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    addresses: Addresses,
    task: JoinHandle<Result<(), Error>>,
}

impl Server {
    /// Where it listens: the ports that were taken where port 0 was asked for.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Wait until it has stopped: after the shutdown signal, when open exports are answered, the store flushed and
    /// closed; or earlier, when it fails.
    ///
    /// # Errors
    /// [`Error::Listener`] where a listener failed, [`Error::Store`] where the store could not be closed.
    pub async fn finished(self) -> Result<(), Error> {
        let stopped = |e: tokio::task::JoinError| Error::Listener { what: "server", reason: e.to_string() };
        self.task.await.map_err(stopped)?
    }
}

/// Open the store and start to serve until `shutdown` is ready.
///
/// # Errors
/// [`Error::NotLoopback`], [`Error::PortInUse`] and [`Error::Bind`] for an address, [`Error::Store`] for the data
/// directory. Nothing is touched then.
pub async fn serve(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<Server, Error> {
    config.check()?;
    let grpc = bind(&config, Door::Grpc).await?;
    let otlp_http = bind(&config, Door::Http).await?;
    let api = bind(&config, Door::Api).await?;
    let local = |listener: &TcpListener, door: Door| {
        listener.local_addr().map_err(|source| bind_error(door, door.addr(&config), source))
    };
    let addresses = Addresses {
        grpc: local(&grpc, Door::Grpc)?,
        otlp_http: local(&otlp_http, Door::Http)?,
        api: local(&api, Door::Api)?,
    };
    let store = open(&config).await?;
    let health = Arc::new(Health::new());
    let receiver = Receiver::new(Arc::clone(&store), Arc::clone(&health));
    let doors = [
        (Door::Grpc, grpc, otlp_grpc::router(receiver.clone())),
        (Door::Http, otlp_http, otlp_http::router(receiver)),
        (Door::Api, api, api::router(Api { store: Arc::clone(&store), health, addresses }, config.allowed_hosts)),
    ];
    Ok(Server { addresses, task: tokio::spawn(run(doors, store, shutdown)) })
}

async fn bind(config: &Config, door: Door) -> Result<TcpListener, Error> {
    let addr = door.addr(config);
    TcpListener::bind(addr).await.map_err(|source| bind_error(door, addr, source))
}

fn bind_error(door: Door, addr: SocketAddr, source: io::Error) -> Error {
    let (what, flag) = (door.what(), door.flag());
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse { what, flag, addr },
        _ => Error::Bind { what, flag, addr, source },
    }
}

async fn open(config: &Config) -> Result<Arc<dyn Store>, Error> {
    let (directory, settings) = (config.data_dir.clone(), config.store.clone());
    let opened = tokio::task::spawn_blocking(move || Embedded::open(&directory, settings, Arc::new(OtlpDecoder)));
    match opened.await {
        Ok(store) => Ok(Arc::new(store?)),
        Err(e) => Err(Error::Listener { what: "store", reason: e.to_string() }),
    }
}

async fn run(
    doors: [(Door, TcpListener, Router); 3],
    store: Arc<dyn Store>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let (stop, stopping) = watch::channel(false);
    let mut listeners = tokio::task::JoinSet::new();
    for (door, listener, router) in doors {
        let mut stopping = stopping.clone();
        let until = async move {
            // An error means that the sender is gone, which is an end too.
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        listeners.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(until).await;
            served.map_err(|e| Error::Listener { what: door.what(), reason: e.to_string() })
        });
    }
    let failed = tokio::select! {
        () = shutdown => None,
        ended = listeners.join_next() => ended,
    };
    tracing::info!("stopping");
    stop.send_replace(true);
    let rest = async { while listeners.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        tracing::warn!(grace_s = GRACE.as_secs(), "connections are still open and are cut");
    }
    listeners.shutdown().await;
    store.close().await?;
    match failed {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(error),
        Some(Err(e)) => Err(Error::Listener { what: "server", reason: e.to_string() }),
    }
}
