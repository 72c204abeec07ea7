//! OTLP over HTTP: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use prost::Message;
use tachograph_store::Signal;

use super::budget::Share;
use super::encoding::Encoding;
use super::refusal::RETRY_AFTER_S;
use super::{MAX_EXPORT_BYTES, Receiver, Refusal, blocking, json, response};
use crate::ingest::Rejected;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The three endpoints.
pub(crate) fn router(receiver: Receiver) -> Router {
    let endpoint = |signal| post(move |State(receiver), request| export(receiver, signal, request));
    Router::new()
        .route("/v1/traces", endpoint(Signal::Traces))
        .route("/v1/metrics", endpoint(Signal::Metrics))
        .route("/v1/logs", endpoint(Signal::Logs))
        .with_state(receiver)
}

/// How the messages are written; the response is in the request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let value = String::from_utf8_lossy(value);
        match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            "" => Err(Refusal::ContentType("none given".to_owned())),
            _ => Err(Refusal::ContentType(value.into_owned())),
        }
    }
}

async fn export(receiver: Receiver, signal: Signal, request: Request<Body>) -> Response {
    let format = Format::of(request.headers());
    let answered_in = *format.as_ref().unwrap_or(&Format::Json);
    let taken = match format {
        Ok(format) => take(&receiver, signal, format, request).await,
        Err(refusal) => Err(refusal),
    };
    match taken {
        Ok(rejected) => accepted(signal, answered_in, &rejected),
        Err(refusal) => {
            receiver.refused(&refusal);
            refused(answered_in, &refusal)
        }
    }
}

async fn take(
    receiver: &Receiver,
    signal: Signal,
    format: Format,
    request: Request<Body>,
) -> Result<Rejected, Refusal> {
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    let encoding = Encoding::parse(encoding.map(|v| v.to_str().unwrap_or("not ASCII")))?;
    let mut share = receiver.budget.share();
    let body = read(request.into_body(), &mut share).await?;
    let (payload, _share) = blocking(move || {
        let plain = encoding.decode(body, &mut share)?;
        let payload = match format {
            Format::Protobuf => plain,
            Format::Json => json::to_protobuf(signal, &plain)?,
        };
        Ok::<_, Refusal>((payload, share))
    })
    .await??;
    receiver.accept(signal, payload).await
}

async fn read(mut body: Body, share: &mut Share) -> Result<Bytes, Refusal> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Refusal::Malformed(format!("the body broke off: {e}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > MAX_EXPORT_BYTES {
            return Err(Refusal::TooLarge);
        }
        share.grow(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

fn accepted(signal: Signal, format: Format, rejected: &Rejected) -> Response {
    match format {
        Format::Protobuf => ([(header::CONTENT_TYPE, PROTOBUF)], response::protobuf(signal, rejected)).into_response(),
        Format::Json => ([(header::CONTENT_TYPE, JSON)], response::json(signal, rejected).to_string()).into_response(),
    }
}

fn refused(format: Format, refusal: &Refusal) -> Response {
    let status = refusal.rpc_status();
    let mut response = match format {
        Format::Protobuf => ([(header::CONTENT_TYPE, PROTOBUF)], status.encode_to_vec()).into_response(),
        Format::Json => {
            let body = serde_json::json!({ "code": status.code, "message": status.message });
            ([(header::CONTENT_TYPE, JSON)], body.to_string()).into_response()
        }
    };
    *response.status_mut() = refusal.status();
    if refusal.retryable() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
    if refusal.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the body stays unread, so the connection cannot carry another request.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
