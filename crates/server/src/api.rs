//! The JSON API, Grafana Tempo's, and the UI: everything on port 4319.

mod error;
mod guard;
mod instant;
mod parameter;
mod route;
mod tempo;
pub mod wire;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::routing::get;
use tachograph_store::Store;
use tower_http::compression::CompressionLayer;

use crate::health::Health;
use crate::server::Addresses;
use crate::ui;
use guard::Hosts;

/// What the API answers from.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) health: Arc<Health>,
    pub(crate) addresses: Addresses,
}

/// Everything that is served there. `hosts` are the names that a Host header may carry beside the loopback ones.
pub(crate) fn router(api: Api, hosts: Vec<String>) -> Router {
    Router::new()
        .route("/api/requests", get(route::requests))
        .route("/api/requests/{trace_id}", get(route::request))
        .route("/api/series", get(route::series))
        .route("/api/facets", get(route::facets))
        .route("/api/engines", get(route::engines))
        .route("/api/agents", get(route::agents))
        .route("/api/status", get(route::status))
        .route("/api/traces/{trace_id}", get(tempo::trace_v1))
        .route("/api/v2/traces/{trace_id}", get(tempo::trace_v2))
        .route("/api/echo", get(tempo::echo))
        .route("/healthz", get(route::healthy))
        .route("/readyz", get(route::ready))
        .route("/api", get(route::no_such_path))
        .route("/api/{*path}", get(route::no_such_path))
        .fallback(ui::page)
        .with_state(api)
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(Hosts::new(hosts), guard::check_host))
        .layer(from_fn(|request: Request, next: Next| async move { guard::with_headers(next.run(request).await) }))
}
