//! The logical schema: four tables, the same in every engine.
//!
//! Times are nanoseconds since the Unix epoch in UTC. Low-cardinality strings are dictionaries, so that a filter or a
//! group by compares integers. What was not promoted to a column stays as the protobuf bytes it came in: nothing is
//! re-encoded on the way in and nothing is lost. `NULL` means "not said by the sender" unless a column says otherwise.

use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// Length of a trace id in bytes.
pub const TRACE_ID_BYTES: i32 = 16;
/// Length of a span id in bytes.
pub const SPAN_ID_BYTES: i32 = 8;

/// One table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// One row a span, without message content.
    Spans,
    /// Prompts and answers, one row a span that has any: apart, so that no query over spans reads text.
    Content,
    /// One row a metric data point.
    Points,
    /// One row a log record.
    Logs,
}

impl Table {
    /// All tables.
    pub const ALL: [Table; 4] = [Table::Spans, Table::Content, Table::Points, Table::Logs];

    /// Name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Table::Spans => "spans",
            Table::Content => "content",
            Table::Points => "points",
            Table::Logs => "logs",
        }
    }

    /// The column that orders the table and that time filters prune by.
    pub fn time_column(self) -> &'static str {
        match self {
            Table::Spans | Table::Content => "start",
            Table::Points | Table::Logs => "time",
        }
    }

    /// The columns with their meaning.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::Spans => SPAN_COLUMNS,
            Table::Content => CONTENT_COLUMNS,
            Table::Points => POINT_COLUMNS,
            Table::Logs => LOG_COLUMNS,
        }
    }

    /// The Arrow schema that every batch of this table has, exactly.
    pub fn schema(self) -> &'static SchemaRef {
        match self {
            Table::Spans => &SPANS,
            Table::Content => &CONTENT,
            Table::Points => &POINTS,
            Table::Logs => &LOGS,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Schema of [`Table::Spans`].
pub static SPANS: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(SPAN_COLUMNS));
/// Schema of [`Table::Content`].
pub static CONTENT: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(CONTENT_COLUMNS));
/// Schema of [`Table::Points`].
pub static POINTS: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(POINT_COLUMNS));
/// Schema of [`Table::Logs`].
pub static LOGS: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(LOG_COLUMNS));

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in SQL.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
    /// Meaning, unit, and what null says.
    pub doc: &'static str,
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `FixedSizeBinary(16)`.
    TraceId,
    /// `FixedSizeBinary(8)`.
    SpanId,
    /// `Timestamp(Nanosecond, "UTC")`.
    Time,
    /// `Int64`.
    Int64,
    /// `Int32`.
    Int32,
    /// `UInt64`.
    UInt64,
    /// `UInt32`.
    UInt32,
    /// `UInt16`.
    UInt16,
    /// `UInt8`.
    UInt8,
    /// `Float64`.
    Float64,
    /// `Boolean`.
    Boolean,
    /// `Utf8`: text that seldom repeats.
    Text,
    /// `Dictionary(Int32, Utf8)`: text that repeats.
    Label,
    /// `Binary`: bytes that seldom repeat.
    Bytes,
    /// `Dictionary(Int32, Binary)`: bytes that repeat, such as a resource.
    SharedBytes,
    /// `List<Float64>`, items not null.
    Floats,
    /// `List<UInt64>`, items not null.
    Counts,
}

impl Kind {
    /// The Arrow type.
    pub fn data_type(self) -> DataType {
        let dictionary = |value| DataType::Dictionary(Box::new(DataType::Int32), Box::new(value));
        let list = |value| DataType::List(Arc::new(Field::new("item", value, false)));
        match self {
            Kind::TraceId => DataType::FixedSizeBinary(TRACE_ID_BYTES),
            Kind::SpanId => DataType::FixedSizeBinary(SPAN_ID_BYTES),
            Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Kind::Int64 => DataType::Int64,
            Kind::Int32 => DataType::Int32,
            Kind::UInt64 => DataType::UInt64,
            Kind::UInt32 => DataType::UInt32,
            Kind::UInt16 => DataType::UInt16,
            Kind::UInt8 => DataType::UInt8,
            Kind::Float64 => DataType::Float64,
            Kind::Boolean => DataType::Boolean,
            Kind::Text => DataType::Utf8,
            Kind::Label => dictionary(DataType::Utf8),
            Kind::Bytes => DataType::Binary,
            Kind::SharedBytes => dictionary(DataType::Binary),
            Kind::Floats => list(DataType::Float64),
            Kind::Counts => list(DataType::UInt64),
        }
    }
}

fn schema_of(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(c.name, c.kind.data_type(), c.nullable)).collect();
    Arc::new(Schema::new(fields))
}

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, nullable: false, doc }
}

const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, nullable: true, doc }
}

const SPAN_COLUMNS: &[Column] = &[
    required("trace_id", Kind::TraceId, "trace id"),
    required("span_id", Kind::SpanId, "span id"),
    optional("parent_span_id", Kind::SpanId, "span id of the parent; null for a root"),
    required("start", Kind::Time, "start"),
    required(
        "duration_ns",
        Kind::Int64,
        "end minus start in nanoseconds, 0 where the end is missing or before the start",
    ),
    required("name", Kind::Label, "span name"),
    required(
        "kind",
        Kind::UInt8,
        "OTLP span kind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer",
    ),
    required("status", Kind::UInt8, "OTLP status code: 0 unset, 1 ok, 2 error"),
    optional("status_message", Kind::Text, "status message"),
    required("service", Kind::Label, "`service.name` of the resource, empty where missing"),
    required("instance", Kind::Label, "`service.instance.id` of the resource, empty where missing"),
    required("scope", Kind::Label, "name of the instrumentation scope, empty where missing"),
    optional("operation", Kind::Label, "`gen_ai.operation.name`"),
    optional("model", Kind::Label, "model asked for or answering"),
    optional("outcome", Kind::Label, "how a request ended"),
    optional("error_type", Kind::Label, "`error.type`"),
    optional("http_status", Kind::UInt16, "`http.response.status_code`"),
    optional("stream", Kind::Boolean, "whether the response was streamed"),
    optional("choices", Kind::UInt32, "choices asked for (`n`)"),
    optional("choice_index", Kind::UInt32, "which choice this sequence is, from 0"),
    optional("finish_reasons", Kind::Text, "finish reasons joined with commas, one a choice"),
    optional("input_tokens", Kind::UInt64, "prompt tokens"),
    optional("cached_tokens", Kind::UInt64, "prompt tokens served from the prefix cache"),
    optional("output_tokens", Kind::UInt64, "generated tokens"),
    optional("reasoning_tokens", Kind::UInt64, "generated tokens spent on reasoning"),
    optional("ttft_us", Kind::Int64, "time to first token in microseconds"),
    optional("tpot_us", Kind::Int64, "time per output token after the first in microseconds"),
    optional("e2e_us", Kind::Int64, "end-to-end latency in the engine in microseconds"),
    optional("queue_us", Kind::Int64, "time waiting in the queue in microseconds"),
    optional("prefill_us", Kind::Int64, "time in prefill in microseconds"),
    optional("decode_us", Kind::Int64, "time in decode in microseconds"),
    optional("preemptions", Kind::UInt32, "times the sequence was preempted"),
    optional("queue_depth", Kind::UInt32, "requests waiting when this one was queued"),
    optional("engine_index", Kind::UInt32, "data-parallel rank"),
    optional("request_id", Kind::Text, "the engine's request id"),
    optional("response_id", Kind::Text, "the id that the client was given"),
    required("is_request", Kind::Boolean, "whether this is the entry span of an operation: a row of the request list"),
    optional("token_offsets", Kind::Bytes, "packed token times as the agent sent them; null where none were"),
    required("attributes", Kind::Bytes, "protobuf OTLP `repeated KeyValue` (field 1), message content excluded"),
    required("resource", Kind::SharedBytes, "protobuf OTLP `Resource`"),
    required("events", Kind::Bytes, "protobuf OTLP `repeated Span.Event` (field 1), empty for none"),
    optional("links", Kind::Bytes, "protobuf OTLP `repeated Span.Link` (field 1); null for none"),
    required("dropped_events", Kind::UInt32, "events that the sender left out"),
    optional("trace_state", Kind::Text, "W3C trace state"),
];

const CONTENT_COLUMNS: &[Column] = &[
    required("trace_id", Kind::TraceId, "trace id of the span"),
    required("span_id", Kind::SpanId, "span id of the span"),
    required("start", Kind::Time, "start of the span"),
    optional("input", Kind::Text, "`gen_ai.input.messages` as JSON"),
    optional("output", Kind::Text, "`gen_ai.output.messages` as JSON"),
    optional("system", Kind::Text, "`gen_ai.system_instructions` as JSON"),
    optional("tools", Kind::Text, "`gen_ai.tool.definitions` as JSON"),
];

const POINT_COLUMNS: &[Column] = &[
    required("name", Kind::Label, "metric name"),
    required("unit", Kind::Label, "UCUM unit, empty where missing"),
    required("kind", Kind::UInt8, "0 gauge, 1 sum, 2 histogram, 3 exponential histogram, 4 summary"),
    required("monotonic", Kind::Boolean, "whether a sum only grows; false for other kinds"),
    required("temporality", Kind::UInt8, "OTLP temporality: 0 unspecified, 1 delta, 2 cumulative"),
    required("service", Kind::Label, "`service.name` of the resource, empty where missing"),
    required("instance", Kind::Label, "`service.instance.id` of the resource, empty where missing"),
    optional("model", Kind::Label, "model that the point is about"),
    optional("engine_index", Kind::UInt32, "data-parallel rank"),
    required("labels", Kind::Label, "attributes of the point as sorted `k=v` joined with commas, to group by"),
    optional("start", Kind::Time, "start of the interval of a delta or cumulative point"),
    required("time", Kind::Time, "time of the point"),
    optional("value", Kind::Float64, "value of a gauge or sum; null for other kinds"),
    optional("count", Kind::UInt64, "observations of a histogram or summary; null for other kinds"),
    optional("sum", Kind::Float64, "sum of the observations"),
    optional("min", Kind::Float64, "smallest observation"),
    optional("max", Kind::Float64, "largest observation"),
    optional("bounds", Kind::Floats, "upper bounds of a histogram's buckets but the last; quantiles of a summary"),
    optional("quantile_values", Kind::Floats, "values of a summary, one for each of `bounds`; null for other kinds"),
    optional("buckets", Kind::Counts, "observations in each bucket (the positive ones of an exponential histogram)"),
    optional("scale", Kind::Int32, "scale of an exponential histogram: base = 2^(2^-scale)"),
    optional("offset", Kind::Int32, "index of the first of `buckets` of an exponential histogram"),
    optional("zero_count", Kind::UInt64, "observations at zero of an exponential histogram"),
    optional("negative_offset", Kind::Int32, "index of the first of `negative_buckets`"),
    optional("negative_buckets", Kind::Counts, "negative observations of an exponential histogram; null for none"),
    required("attributes", Kind::SharedBytes, "protobuf OTLP `repeated KeyValue` (field 1) of the point"),
    required("resource", Kind::SharedBytes, "protobuf OTLP `Resource`"),
];

const LOG_COLUMNS: &[Column] = &[
    required("time", Kind::Time, "time of the event, the observed time where missing"),
    required("observed", Kind::Time, "when the collector saw it, the time of receipt where missing"),
    required("severity", Kind::UInt8, "OTLP severity number, 0 where missing"),
    optional("severity_text", Kind::Label, "severity in the sender's words"),
    optional("event_name", Kind::Label, "event name"),
    required("body", Kind::Text, "body: a string as it is, any other value as JSON, empty where missing"),
    optional("trace_id", Kind::TraceId, "trace id"),
    optional("span_id", Kind::SpanId, "span id"),
    required("service", Kind::Label, "`service.name` of the resource, empty where missing"),
    required("instance", Kind::Label, "`service.instance.id` of the resource, empty where missing"),
    required("attributes", Kind::Bytes, "protobuf OTLP `repeated KeyValue` (field 1)"),
    required("resource", Kind::SharedBytes, "protobuf OTLP `Resource`"),
];
