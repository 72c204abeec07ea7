//! OTLP as the recorder sends it: http, chat, llm_request, wait, prefill, decode.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use tachograph_schema::attribute as name;
use tachograph_schema::otlp::Attributes;

pub(crate) const SECOND_NS: u64 = 1_000_000_000;
/// 2026-11-24T03:00:00Z.
pub(crate) const T0_NS: u64 = 1_795_489_200 * SECOND_NS;
/// The same in the API's milliseconds.
pub(crate) const T0_MS: u64 = T0_NS / 1_000_000;

/// One request with one choice.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Makes the ids.
    pub(crate) number: u8,
    pub(crate) start_ns: u64,
    pub(crate) operation: &'static str,
    pub(crate) model: &'static str,
    pub(crate) service: &'static str,
    pub(crate) instance: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) error_type: Option<&'static str>,
    pub(crate) http_status: u16,
    pub(crate) stream: bool,
    pub(crate) finish_reason: &'static str,
    pub(crate) input_tokens: u32,
    pub(crate) cached_tokens: u32,
    /// Microseconds from the start of `llm_request` to each token.
    pub(crate) tokens_us: Vec<u64>,
    pub(crate) queue_s: f64,
    pub(crate) preemptions: u32,
    pub(crate) engine_index: u32,
    pub(crate) input: &'static str,
    pub(crate) output: &'static str,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            number: 1,
            start_ns: T0_NS,
            operation: "chat",
            model: "llama",
            service: "assistant",
            instance: "a",
            outcome: "ok",
            error_type: None,
            http_status: 200,
            stream: true,
            finish_reason: "stop",
            input_tokens: 10,
            cached_tokens: 4,
            tokens_us: vec![200_000, 250_000, 300_000, 400_000],
            queue_s: 0.05,
            preemptions: 0,
            engine_index: 0,
            input: r#"[{"role":"user","parts":[{"type":"text","content":"What is the weather in Paris?"}]}]"#,
            output: r#"[{"role":"assistant","parts":[{"type":"text","content":"Sunny."}],"finish_reason":"stop"}]"#,
        }
    }
}

impl Request {
    pub(crate) fn trace_id(&self) -> [u8; 16] {
        [self.number; 16]
    }

    pub(crate) fn trace_hex(&self) -> String {
        hex(&self.trace_id())
    }

    /// Id of the entry span.
    pub(crate) fn span_hex(&self) -> String {
        hex(&self.span_id(2))
    }

    pub(crate) fn span_id(&self, ordinal: u8) -> [u8; 8] {
        [self.number, 0, 0, 0, 0, 0, 0, ordinal]
    }

    pub(crate) fn ttft_s(&self) -> f64 {
        seconds(*self.tokens_us.first().unwrap())
    }

    pub(crate) fn e2e_s(&self) -> f64 {
        seconds(*self.tokens_us.last().unwrap())
    }

    pub(crate) fn tpot_s(&self) -> f64 {
        (self.e2e_s() - self.ttft_s()) / (self.tokens_us.len() - 1) as f64
    }

    pub(crate) fn end_ns(&self) -> u64 {
        self.start_ns + self.tokens_us.last().unwrap() * 1000
    }

    /// The whole tree.
    pub(crate) fn spans(&self) -> ResourceSpans {
        let mut resource = Attributes::default();
        resource.set(name::SERVICE_NAME, self.service).set(name::SERVICE_INSTANCE, self.instance);
        let spans = vec![
            self.span(6, Some(3), "decode", Attributes::default()),
            self.span(5, Some(3), "prefill", Attributes::default()),
            self.span(4, Some(3), "wait", Attributes::default()),
            self.sequence(),
            self.entry(),
            self.http(),
        ];
        let scope = Some(InstrumentationScope { name: "tachograph".to_owned(), ..Default::default() });
        ResourceSpans {
            resource: Some(Resource { attributes: resource.0, ..Default::default() }),
            scope_spans: vec![ScopeSpans { scope, spans, schema_url: String::new() }],
            schema_url: String::new(),
        }
    }

    pub(crate) fn span(&self, ordinal: u8, parent: Option<u8>, span_name: &str, attributes: Attributes) -> Span {
        Span {
            trace_id: self.trace_id().to_vec(),
            span_id: self.span_id(ordinal).to_vec(),
            parent_span_id: parent.map(|p| self.span_id(p).to_vec()).unwrap_or_default(),
            name: span_name.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: self.start_ns + u64::from(ordinal),
            end_time_unix_nano: self.end_ns() + u64::from(ordinal),
            attributes: attributes.0,
            ..Default::default()
        }
    }

    fn http(&self) -> Span {
        let mut attributes = Attributes::default();
        attributes.set(name::HTTP_METHOD, "POST").set(name::HTTP_STATUS, u32::from(self.http_status));
        let mut span = self.span(1, None, "POST /v1/chat/completions", attributes);
        span.kind = SpanKind::Server.into();
        span
    }

    fn entry(&self) -> Span {
        let mut attributes = Attributes::default();
        attributes
            .set(name::OPERATION, self.operation)
            .set(name::REQUEST_MODEL, self.model)
            .set(name::RESPONSE_ID, format!("chatcmpl-{}", self.number))
            .set(name::STREAM, self.stream)
            .set(name::OUTCOME, self.outcome)
            .set(name::HTTP_STATUS, u32::from(self.http_status))
            .set(name::ERROR_TYPE, self.error_type)
            .set(name::INPUT_MESSAGES, self.input)
            .set(name::OUTPUT_MESSAGES, self.output);
        self.figures(&mut attributes);
        let mut span = self.span(2, Some(1), &format!("{} {}", self.operation, self.model), attributes);
        if let Some(error) = self.error_type {
            span.status = Some(Status { message: error.to_owned(), code: StatusCode::Error.into() });
        }
        span
    }

    fn sequence(&self) -> Span {
        let mut attributes = Attributes::default();
        attributes
            .set(name::REQUEST_ID, format!("req-{}", self.number))
            .set(name::CHOICE_INDEX, 0_u32)
            .set(name::TOKEN_OFFSETS, pack(&self.tokens_us));
        self.figures(&mut attributes);
        self.span(3, Some(2), "llm_request", attributes)
    }

    fn figures(&self, attributes: &mut Attributes) {
        let (ttft, e2e) = (self.ttft_s(), self.e2e_s());
        attributes
            .set(name::INPUT_TOKENS, self.input_tokens)
            .set(name::CACHED_TOKENS, self.cached_tokens)
            .set(name::OUTPUT_TOKENS, u32::try_from(self.tokens_us.len()).unwrap())
            .set(name::FINISH_REASONS, vec![self.finish_reason.to_owned()])
            .set(name::TTFT, ttft)
            .set(name::TPOT, (self.tokens_us.len() > 1).then(|| self.tpot_s()))
            .set(name::E2E, e2e)
            .set(name::QUEUE, self.queue_s)
            .set(name::PREFILL, ttft - self.queue_s)
            .set(name::DECODE, e2e - ttft)
            .set(name::PREEMPTIONS, self.preemptions)
            .set(name::ENGINE_INDEX, self.engine_index);
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// LEB128 of the differences.
fn pack(times_us: &[u64]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut before = 0;
    for time in times_us {
        let mut left = time - before;
        before = *time;
        while left >= 0x80 {
            packed.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
            left >>= 7;
        }
        packed.push(u8::try_from(left).unwrap());
    }
    packed
}

/// A metric with one series for each instance given.
pub(crate) fn metrics(instance: &str, metrics: Vec<Metric>) -> ResourceMetrics {
    let mut resource = Attributes::default();
    resource.set(name::SERVICE_NAME, "assistant").set(name::SERVICE_INSTANCE, instance);
    ResourceMetrics {
        resource: Some(Resource { attributes: resource.0, ..Default::default() }),
        scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
        schema_url: String::new(),
    }
}

/// Attributes as the engines put them on their metrics.
pub(crate) fn labels(model: &str, engine: u32) -> Vec<KeyValue> {
    let mut attributes = Attributes::default();
    attributes.set("modelName", model).set("engine_index", engine);
    attributes.0
}

pub(crate) fn point(attributes: &[KeyValue], start_ns: u64, time_ns: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.to_vec(),
        start_time_unix_nano: start_ns,
        time_unix_nano: time_ns,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..Default::default()
    }
}

pub(crate) fn gauge(metric: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    let data = Some(metric::Data::Gauge(Gauge { data_points }));
    Metric { name: metric.to_owned(), unit: "1".to_owned(), data, ..Default::default() }
}

pub(crate) const DELTA: i32 = 1;
pub(crate) const CUMULATIVE: i32 = 2;

pub(crate) fn counter(metric: &str, aggregation_temporality: i32, data_points: Vec<NumberDataPoint>) -> Metric {
    let data = Some(metric::Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true }));
    Metric { name: metric.to_owned(), unit: "1".to_owned(), data, ..Default::default() }
}
