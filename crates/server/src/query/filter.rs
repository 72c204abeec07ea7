//! Which requests are meant.

use tachograph_store::literal;

use crate::api::wire::RequestStatus;

/// A choice of requests. Values of one label mean any of them; everything else is joined by and.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    /// Values by label.
    pub(crate) labels: Vec<(Label, Vec<String>)>,
    /// How it ended.
    pub(crate) statuses: Vec<RequestStatus>,
    /// Any of these among the finish reasons.
    pub(crate) finish_reasons: Vec<String>,
    /// Data-parallel ranks.
    pub(crate) engines: Vec<u32>,
    /// Streamed or not.
    pub(crate) stream: Option<bool>,
    /// Preempted or not.
    pub(crate) preempted: Option<bool>,
    /// Bounds of figures.
    pub(crate) bounds: Vec<Bound>,
    /// An id, the beginning of one, or text of a message.
    pub(crate) search: Option<String>,
}

/// A label of a request with one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Model,
    Service,
    Instance,
    Operation,
    ErrorType,
}

impl Label {
    pub(crate) const ALL: [Self; 5] = [Self::Model, Self::Service, Self::Instance, Self::Operation, Self::ErrorType];

    /// Name, in the API and as a column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Service => "service",
            Self::Instance => "instance",
            Self::Operation => "operation",
            Self::ErrorType => "error_type",
        }
    }

    /// Whether metric points have it too.
    fn of_points(self) -> bool {
        matches!(self, Self::Model | Self::Service | Self::Instance)
    }
}

/// A figure of a request that can be bounded and sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Duration,
    Ttft,
    Tpot,
    E2e,
    Queue,
    Prefill,
    Decode,
    InputTokens,
    CachedTokens,
    OutputTokens,
    ReasoningTokens,
    QueueDepth,
    Preemptions,
}

impl Figure {
    pub(crate) const ALL: [Self; 13] = [
        Self::Duration,
        Self::Ttft,
        Self::Tpot,
        Self::E2e,
        Self::Queue,
        Self::Prefill,
        Self::Decode,
        Self::InputTokens,
        Self::CachedTokens,
        Self::OutputTokens,
        Self::ReasoningTokens,
        Self::QueueDepth,
        Self::Preemptions,
    ];

    /// Name in the API, the column, and how many of the column's units are one of the API's (seconds, tokens).
    fn parts(self) -> (&'static str, &'static str, f64) {
        match self {
            Self::Duration => ("duration", "duration_ns", 1e9),
            Self::Ttft => ("ttft", "ttft_us", 1e6),
            Self::Tpot => ("tpot", "tpot_us", 1e6),
            Self::E2e => ("e2e", "e2e_us", 1e6),
            Self::Queue => ("queue", "queue_us", 1e6),
            Self::Prefill => ("prefill", "prefill_us", 1e6),
            Self::Decode => ("decode", "decode_us", 1e6),
            Self::InputTokens => ("input_tokens", "input_tokens", 1.0),
            Self::CachedTokens => ("cached_tokens", "cached_tokens", 1.0),
            Self::OutputTokens => ("output_tokens", "output_tokens", 1.0),
            Self::ReasoningTokens => ("reasoning_tokens", "reasoning_tokens", 1.0),
            Self::QueueDepth => ("queue_depth", "queue_depth", 1.0),
            Self::Preemptions => ("preemptions", "preemptions", 1.0),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.parts().0
    }

    pub(crate) fn column(self) -> &'static str {
        self.parts().1
    }

    /// Units of the column in one of the API's.
    pub(crate) fn scale(self) -> f64 {
        self.parts().2
    }
}

/// A bound of a figure, itself allowed. Rows that do not know the figure are outside every bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// At least.
    Min(Figure, f64),
    /// At most.
    Max(Figure, f64),
}

impl Bound {
    fn sql(self) -> String {
        let (figure, sign, value) = match self {
            Self::Min(figure, value) => (figure, ">=", value),
            Self::Max(figure, value) => (figure, "<=", value),
        };
        // Whole units of the column: 0.1 s is 100000 us, whatever a double makes of it.
        #[allow(clippy::cast_possible_truncation)] // saturates, and no figure is that large
        let units = (value * figure.scale()).round() as i64;
        format!("{} {sign} {units}", figure.column())
    }
}

impl Filter {
    /// The condition on rows of `spans` that are requests, times apart.
    pub(super) fn on_requests(&self, from_ns: i64, to_ns: i64) -> String {
        let mut all = vec!["is_request".to_owned()];
        all.extend(self.labels.iter().map(|(label, values)| any_of(label.name(), values)));
        if !self.statuses.is_empty() {
            all.push(any_of("outcome", &self.statuses.iter().map(|s| s.name().to_owned()).collect::<Vec<_>>()));
        }
        if !self.finish_reasons.is_empty() {
            let contains = |reason: &String| {
                format!("strpos(concat(',', finish_reasons, ','), {}) > 0", literal::text(&format!(",{reason},")))
            };
            all.push(any(self.finish_reasons.iter().map(contains)));
        }
        all.extend(self.engines());
        all.extend(self.stream.map(|yes| is("stream", yes)));
        all.extend(self.preempted.map(|yes| is("preemptions > 0", yes)));
        all.extend(self.bounds.iter().map(|bound| bound.sql()));
        all.extend(self.search.as_deref().map(|text| search(text, from_ns, to_ns)));
        all.join(" AND ")
    }

    /// The condition on rows of `points`. What a request has and an engine has not (status, figures) does not apply.
    pub(super) fn on_points(&self) -> String {
        let labels = self.labels.iter().filter(|(label, _)| label.of_points());
        let mut all: Vec<String> = labels.map(|(label, values)| any_of(label.name(), values)).collect();
        all.extend(self.engines());
        if all.is_empty() { "true".to_owned() } else { all.join(" AND ") }
    }

    fn engines(&self) -> Option<String> {
        let of = |engine: &u32| format!("engine_index = {engine}");
        (!self.engines.is_empty()).then(|| any(self.engines.iter().map(of)))
    }
}

/// The column has one of the values; an empty value is an unknown one.
fn any_of(column: &str, values: &[String]) -> String {
    any(values.iter().map(|value| {
        let equal = format!("{column} = {}", literal::text(value));
        if value.is_empty() { format!("({equal} OR {column} IS NULL)") } else { equal }
    }))
}

fn any(conditions: impl Iterator<Item = String>) -> String {
    format!("({})", conditions.collect::<Vec<_>>().join(" OR "))
}

/// A condition that null does not meet, or its opposite, which null meets.
fn is(condition: &str, yes: bool) -> String {
    format!("({condition}) IS {}TRUE", if yes { "" } else { "NOT " })
}

/// Ids, the beginnings of the ids that the engine and the client know, or text of the messages in any case.
fn search(text: &str, from_ns: i64, to_ns: i64) -> String {
    let mut any_of = Vec::new();
    if let Ok(bytes) = const_hex::decode(text) {
        match bytes.len() {
            16 => any_of.push(format!("trace_id = {}", literal::id(&bytes))),
            8 => any_of.push(format!("span_id = {}", literal::id(&bytes))),
            _ => {}
        }
    }
    let quoted = literal::text(text);
    any_of.extend(["request_id", "response_id"].map(|column| format!("starts_with({column}, {quoted})")));
    let contains: Vec<String> = needles(text).iter().flat_map(|needle| contains(needle)).collect();
    any_of.push(format!(
        "span_id IN (SELECT span_id FROM content WHERE start >= {} AND start < {} AND ({}))",
        literal::time(from_ns),
        literal::time(to_ns),
        contains.join(" OR ")
    ));
    any(any_of.into_iter())
}

fn contains(needle: &str) -> [String; 3] {
    let pattern = literal::text(&format!("%{}%", escape_like(needle)));
    ["input", "output", "system"].map(|column| format!("{column} ILIKE {pattern}"))
}

/// How the text may stand in the JSON of a message: with its quotes and line ends escaped, and, where the sender
/// writes ASCII only (as Python's `json` does), with everything else escaped too.
fn needles(text: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(text).to_string();
    let json = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or(text).to_owned();
    if json.is_ascii() {
        return vec![json];
    }
    let mut ascii = String::with_capacity(json.len() * 3);
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
        }
    }
    vec![json, ascii]
}

/// `%`, `_` and `\` stand for themselves in a LIKE pattern.
fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
