//! OTLP's attribute values as JSON, for people and for the API.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::Value as Json;

/// A value as JSON: bytes in base64, a number that JSON does not have as a string, nothing as null.
pub(crate) fn to_json(value: Option<&AnyValue>) -> Json {
    of(value).map_or(Json::Null, json)
}

fn json(value: &Value) -> Json {
    match value {
        Value::StringValueStrindex(_) => Json::Null,
        Value::StringValue(s) => Json::String(s.clone()),
        Value::BoolValue(b) => Json::Bool(*b),
        Value::IntValue(i) => Json::from(*i),
        Value::DoubleValue(d) => {
            serde_json::Number::from_f64(*d).map_or_else(|| Json::String(d.to_string()), Json::Number)
        }
        Value::BytesValue(b) => Json::String(STANDARD.encode(b)),
        Value::ArrayValue(a) => a.values.iter().map(|v| to_json(Some(v))).collect(),
        Value::KvlistValue(l) => l.values.iter().map(|kv| (kv.key.clone(), to_json(kv.value.as_ref()))).collect(),
    }
}

/// Attributes by name, sorted; of two with one name the last counts.
pub(crate) fn map(attributes: &[KeyValue]) -> BTreeMap<String, Json> {
    attributes.iter().map(|kv| (kv.key.clone(), to_json(kv.value.as_ref()))).collect()
}

/// A value as text: a string as it is, anything else as JSON.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::StringValue(s) => Cow::Borrowed(s),
        other => Cow::Owned(json(other).to_string()),
    }
}

/// The value of an attribute or body.
pub(crate) fn of(value: Option<&AnyValue>) -> Option<&Value> {
    value?.value.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn a_number_that_json_lacks_is_said_in_words_and_bytes_in_base64() {
        assert_eq!(to_json(Some(&any(Value::DoubleValue(f64::NAN)))), "NaN");
        assert_eq!(to_json(Some(&any(Value::BytesValue(vec![1, 2, 3])))), "AQID");
        assert_eq!(to_json(None), Json::Null);
    }

    #[test]
    fn text_is_not_quoted_and_structure_is_json() {
        assert_eq!(text(&Value::StringValue("a \"b\"".into())), "a \"b\"");
        assert_eq!(text(&Value::BoolValue(true)), "true");
    }
}
