//! Between our names and OTLP's messages.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};

/// A value that an attribute can take.
pub trait IntoValue {
    /// The OTLP value, or none where the attribute shall be left out.
    fn into_value(self) -> Option<Value>;
}

impl IntoValue for &str {
    fn into_value(self) -> Option<Value> {
        Some(Value::StringValue(self.to_owned()))
    }
}
impl IntoValue for String {
    fn into_value(self) -> Option<Value> {
        Some(Value::StringValue(self))
    }
}
impl IntoValue for bool {
    fn into_value(self) -> Option<Value> {
        Some(Value::BoolValue(self))
    }
}
impl IntoValue for i64 {
    fn into_value(self) -> Option<Value> {
        Some(Value::IntValue(self))
    }
}
impl IntoValue for u32 {
    fn into_value(self) -> Option<Value> {
        Some(Value::IntValue(self.into()))
    }
}
impl IntoValue for u64 {
    fn into_value(self) -> Option<Value> {
        Some(Value::IntValue(i64::try_from(self).unwrap_or(i64::MAX)))
    }
}
impl IntoValue for f64 {
    fn into_value(self) -> Option<Value> {
        Some(Value::DoubleValue(self))
    }
}
impl IntoValue for Vec<u8> {
    fn into_value(self) -> Option<Value> {
        Some(Value::BytesValue(self))
    }
}
impl IntoValue for Vec<String> {
    fn into_value(self) -> Option<Value> {
        let values = self.into_iter().map(|s| AnyValue { value: s.into_value() }).collect();
        Some(Value::ArrayValue(ArrayValue { values }))
    }
}
impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Option<Value> {
        self.and_then(IntoValue::into_value)
    }
}

/// Attributes under construction. An absent value adds nothing.
#[derive(Clone, Debug, Default)]
pub struct Attributes(pub Vec<KeyValue>);

impl Attributes {
    /// Add one.
    pub fn set(&mut self, key: &str, value: impl IntoValue) -> &mut Self {
        if let Some(value) = value.into_value() {
            self.0.push(KeyValue {
                key: key.to_owned(),
                value: Some(AnyValue { value: Some(value) }),
                ..KeyValue::default()
            });
        }
        self
    }
}

/// The value of an attribute.
#[must_use]
pub fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|kv| kv.key == key)?.value.as_ref()?.value.as_ref()
}
