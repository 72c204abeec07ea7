//! The calls of the JSON API.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use http::{StatusCode, Uri};
use tachograph_store::table::Table;

use super::error::Failure;
use super::wire::{Agents, Engines, Facets, OtlpAddresses, RequestDetail, RequestPage, SeriesSet, Status};
use super::{Api, parameter};
use crate::health::now_ns;
use crate::query;

type Pairs = Query<Vec<(String, String)>>;
type Answer<T> = Result<Json<T>, Failure>;

pub(super) async fn requests(State(api): State<Api>, Query(pairs): Pairs) -> Answer<RequestPage> {
    let page = parameter::page(pairs, now())?;
    Ok(Json(query::page(api.store.as_ref(), &page).await?))
}

pub(super) async fn request(
    State(api): State<Api>,
    Path(trace_id): Path<String>,
    Query(pairs): Pairs,
) -> Answer<RequestDetail> {
    let id = trace_id_of(&trace_id)?;
    let span_id = parameter::span_id(pairs)?;
    let detail = query::detail(api.store.as_ref(), id, span_id).await?;
    detail.map(Json).ok_or_else(|| {
        Failure::not_found(
            format!("no such request: {trace_id}"),
            format!(
                "it may be past its retention or not sent yet; a trace without requests is at /api/traces/{trace_id}"
            ),
        )
    })
}

pub(super) async fn series(State(api): State<Api>, Query(pairs): Pairs) -> Answer<SeriesSet> {
    let question = parameter::series(pairs, now())?;
    Ok(Json(query::series(api.store.as_ref(), &question).await?))
}

pub(super) async fn facets(State(api): State<Api>, Query(pairs): Pairs) -> Answer<Facets> {
    let (from_ns, to_ns) = parameter::range(pairs, now())?;
    Ok(Json(query::facets(api.store.as_ref(), from_ns, to_ns).await?))
}

pub(super) async fn engines(State(api): State<Api>, Query(pairs): Pairs) -> Answer<Engines> {
    let fleet = parameter::fleet(pairs, now())?;
    Ok(Json(query::engines(api.store.as_ref(), &fleet).await?))
}

pub(super) async fn agents(State(api): State<Api>, Query(pairs): Pairs) -> Answer<Agents> {
    let fleet = parameter::fleet(pairs, now())?;
    Ok(Json(query::agents(api.store.as_ref(), &fleet).await?))
}

pub(super) async fn status(State(api): State<Api>) -> Json<Status> {
    let stats = api.store.stats();
    let stored: BTreeMap<String, u64> =
        Table::ALL.iter().map(|t| (t.name().to_owned(), stats.rows.get(t).copied().unwrap_or_default())).collect();
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start_ms: api.health.start_ms(),
        received: api.health.received_by_table(),
        refused: api.health.refused_by_reason(),
        stored,
        disk_bytes: stats.wal_bytes + stats.segment_bytes,
        last_received_ms: api.health.last_received_ms(),
        otlp: OtlpAddresses { grpc: api.addresses.grpc.to_string(), http: api.addresses.otlp_http.to_string() },
    })
}

/// The process answers.
pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// The store answers.
pub(super) async fn ready(State(api): State<Api>) -> Result<&'static str, Failure> {
    api.store.sql("SELECT 1 AS ready", tachograph_store::QueryLimit::default()).await?;
    Ok("ok\n")
}

pub(super) async fn no_such_path(uri: Uri) -> (StatusCode, Failure) {
    let hint = "one of /api/requests, /api/requests/{trace_id}, /api/series, /api/facets, /api/engines, /api/agents, \
        /api/status, /api/traces/{id}";
    (StatusCode::NOT_FOUND, Failure::not_found(format!("no such path: {}", uri.path()), hint))
}

/// A trace id of 1 to 32 hex digits, as Tempo takes it: zeros are added in front.
pub(super) fn trace_id_of(text: &str) -> Result<[u8; 16], Failure> {
    let known = (1..=32).contains(&text.len()).then(|| format!("{text:0>32}"));
    known.and_then(|hex| const_hex::decode_to_array(hex).ok()).ok_or_else(|| {
        let hint = "1 to 32 hex digits, e.g. 4bf92f3577b34da6a3ce929d0e0e4736";
        Failure::parameter("trace_id", format!("no trace id: {text}"), hint)
    })
}

fn now() -> i64 {
    i64::try_from(now_ns()).unwrap_or(i64::MAX)
}
