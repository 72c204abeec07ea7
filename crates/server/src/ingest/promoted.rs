//! Attributes of a span that have a column of their own.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tachograph_schema::attribute as name;

use crate::figures::Figures;
use crate::value;

/// What the columns of a span take from its attributes. Names of other SDKs and older conventions are understood too;
/// the name of the conventions wins where both are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Promoted<'a> {
    pub(super) operation: Option<Cow<'a, str>>,
    request_model: Option<Cow<'a, str>>,
    response_model: Option<Cow<'a, str>>,
    pub(super) outcome: Option<Cow<'a, str>>,
    pub(super) error_type: Option<Cow<'a, str>>,
    pub(super) http_status: Option<u16>,
    pub(super) stream: Option<bool>,
    pub(super) choices: Option<u32>,
    pub(super) choice_index: Option<u32>,
    pub(super) finish_reasons: Option<String>,
    pub(super) request_id: Option<Cow<'a, str>>,
    pub(super) response_id: Option<Cow<'a, str>>,
    pub(super) token_offsets: Option<&'a [u8]>,
    pub(super) figures: Figures,
}

impl<'a> Promoted<'a> {
    pub(super) fn new(attributes: &'a [KeyValue]) -> Self {
        let mut promoted = Self::default();
        let mut alias = Figures::default();
        for attribute in attributes {
            if let Some(value) = value::of(attribute.value.as_ref()) {
                promoted.take(&attribute.key, value, &mut alias);
            }
        }
        promoted.figures = promoted.figures.or(&alias);
        promoted
    }

    /// The model asked for, else the one that answered.
    pub(super) fn model(&self) -> Option<&str> {
        self.request_model.as_deref().or(self.response_model.as_deref())
    }

    fn take(&mut self, key: &str, value: &'a Value, alias: &mut Figures) {
        let figures = &mut self.figures;
        match key {
            name::OPERATION => self.operation = Some(value::text(value)),
            name::REQUEST_MODEL => self.request_model = Some(value::text(value)),
            name::RESPONSE_MODEL => self.response_model = Some(value::text(value)),
            name::OUTCOME => self.outcome = Some(value::text(value)),
            name::ERROR_TYPE => self.error_type = Some(value::text(value)),
            name::HTTP_STATUS => self.http_status = as_count(value),
            "http.status_code" => self.http_status = self.http_status.or(as_count(value)),
            name::STREAM => self.stream = as_bool(value),
            name::CHOICE_COUNT => self.choices = as_count(value),
            "gen_ai.request.n" => self.choices = self.choices.or(as_count(value)),
            name::CHOICE_INDEX => self.choice_index = as_count(value),
            name::FINISH_REASONS => self.finish_reasons = as_list(value),
            "gen_ai.response.finish_reason" => self.finish_reasons = self.finish_reasons.take().or(as_list(value)),
            name::REQUEST_ID => self.request_id = Some(value::text(value)),
            name::RESPONSE_ID => self.response_id = Some(value::text(value)),
            name::TOKEN_OFFSETS => self.token_offsets = as_bytes(value),
            name::INPUT_TOKENS => figures.input_tokens = as_count(value),
            "gen_ai.usage.prompt_tokens" => alias.input_tokens = as_count(value),
            name::OUTPUT_TOKENS => figures.output_tokens = as_count(value),
            "gen_ai.usage.completion_tokens" => alias.output_tokens = as_count(value),
            name::CACHED_TOKENS => figures.cached_tokens = as_count(value),
            "gen_ai.usage.cached_tokens" => alias.cached_tokens = as_count(value),
            name::REASONING_TOKENS => figures.reasoning_tokens = as_count(value),
            name::TTFT => figures.ttft_us = as_micros(value),
            name::TPOT => figures.tpot_us = as_micros(value),
            name::E2E => figures.e2e_us = as_micros(value),
            name::QUEUE => figures.queue_us = as_micros(value),
            name::PREFILL => figures.prefill_us = as_micros(value),
            name::DECODE => figures.decode_us = as_micros(value),
            name::PREEMPTIONS => figures.preemptions = as_count(value),
            name::QUEUE_DEPTH => figures.queue_depth = as_count(value),
            name::ENGINE_INDEX => figures.engine_index = as_count(value),
            _ => {}
        }
    }
}

/// A number that is not negative: an integer, a whole double or its decimal text.
pub(super) fn as_count<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    let number = match value {
        Value::IntValue(i) => *i,
        #[allow(clippy::cast_possible_truncation)] // checked to be whole and in range by the comparison
        Value::DoubleValue(d) if d.fract() == 0.0 && d.abs() < 9.0e15 => *d as i64,
        Value::StringValue(s) => s.parse().ok()?,
        _ => return None,
    };
    T::try_from(number).ok()
}

/// Seconds as whole microseconds.
fn as_micros(value: &Value) -> Option<i64> {
    let seconds = match value {
        Value::DoubleValue(d) => *d,
        #[allow(clippy::cast_precision_loss)] // nobody waits 2^53 seconds
        Value::IntValue(i) => *i as f64,
        Value::StringValue(s) => s.parse().ok()?,
        _ => return None,
    };
    let micros = (seconds * 1e6).round();
    #[allow(clippy::cast_possible_truncation)] // in range by the comparison
    (micros.abs() < 9.0e15).then_some(micros as i64)
}

fn as_bool(value: &Value) -> Option<bool> {
    match value {
        Value::BoolValue(b) => Some(*b),
        Value::StringValue(s) => s.parse().ok(),
        _ => None,
    }
}

fn as_bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BytesValue(b) => Some(b),
        _ => None,
    }
}

/// Strings joined with commas, none where there are none.
fn as_list(value: &Value) -> Option<String> {
    let joined = match value {
        Value::ArrayValue(list) => {
            let texts: Vec<_> = list.values.iter().filter_map(|v| value::of(Some(v))).map(value::text).collect();
            texts.join(",")
        }
        other => value::text(other).into_owned(),
    };
    (!joined.is_empty()).then_some(joined)
}
