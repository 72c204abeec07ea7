//! OTLP over gRPC: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>.
//!
//! The messages are taken as bytes, not decoded by tonic: the log keeps the bytes as they came, a message that is
//! no OTLP is answered with INVALID_ARGUMENT and its reason, and the Arrow rows are built off the connection's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, Request, Response};
use prost::Message;
use tachograph_store::Signal;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};

use super::{MAX_EXPORT_BYTES, Receiver, Refusal, response};

/// The three services, each with its one method.
pub(crate) fn router(receiver: Receiver) -> Router {
    let method = |signal| post(move |State(receiver), request| export(receiver, signal, request));
    Router::new()
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", method(Signal::Traces))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", method(Signal::Metrics))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", method(Signal::Logs))
        .fallback(|| async { Status::unimplemented("no such service here").into_http::<tonic::body::Body>() })
        .with_state(receiver)
}

async fn export(receiver: Receiver, signal: Signal, request: Request<Body>) -> Response<tonic::body::Body> {
    let reached = Arc::new(AtomicBool::new(false));
    let handler = {
        let (receiver, reached) = (receiver.clone(), Arc::clone(&reached));
        tower::service_fn(move |request: tonic::Request<Bytes>| {
            reached.store(true, Ordering::Relaxed);
            let receiver = receiver.clone();
            async move { take(&receiver, signal, request.into_inner()).await }
        })
    };
    let response = tonic::server::Grpc::new(RawCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(MAX_EXPORT_BYTES)
        .unary(handler, request)
        .await;
    if !reached.load(Ordering::Relaxed) {
        receiver.refused(&refusal_by_tonic(response.headers()));
    }
    response
}

async fn take(receiver: &Receiver, signal: Signal, payload: Bytes) -> Result<tonic::Response<Vec<u8>>, Status> {
    let mut share = receiver.budget.share();
    let taken = match share.grow(payload.len()) {
        Ok(()) => receiver.accept(signal, payload).await,
        Err(refusal) => Err(refusal),
    };
    match taken {
        Ok(rejected) => Ok(tonic::Response::new(response::protobuf(signal, &rejected))),
        Err(refusal) => {
            receiver.refused(&refusal);
            let status = refusal.rpc_status();
            Err(Status::with_details(refusal.code(), status.message.clone(), status.encode_to_vec().into()))
        }
    }
}

/// What tonic refused by itself, read from its answer, so that it is counted as well.
fn refusal_by_tonic(headers: &HeaderMap) -> Refusal {
    match Status::from_header_map(headers) {
        Some(s) if matches!(s.code(), Code::OutOfRange | Code::ResourceExhausted) => Refusal::TooLarge,
        Some(s) if s.code() == Code::Unimplemented => Refusal::Encoding(s.message().to_owned()),
        Some(s) => Refusal::Malformed(s.message().to_owned()),
        None => Refusal::Malformed("no message".to_owned()),
    }
}

/// Messages as bytes.
#[derive(Clone, Copy, Debug)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.put_slice(&item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(src.copy_to_bytes(src.remaining())))
    }
}
