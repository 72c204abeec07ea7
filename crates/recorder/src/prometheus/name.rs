//! Names: the documented ones stay as they are, OpenTelemetry's become Prometheus's by the rules of
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use tachograph_schema::metric::ALL;

/// UCUM units that our metrics have, in Prometheus's words. What stands in braces says nothing.
const UNITS: [(&str, &str); 2] = [("s", "seconds"), ("By", "bytes")];

/// The name of a metric.
pub(super) fn family(metric: &Metric) -> String {
    if ALL.iter().any(|row| row.name == metric.name) {
        return metric.name.clone();
    }
    let mut name = clean(&metric.name);
    let is_total = matches!(&metric.data, Some(Data::Sum(sum)) if sum.is_monotonic);
    let is_ratio = metric.unit == "1" && matches!(&metric.data, Some(Data::Gauge(_)));
    let unit = UNITS.iter().find(|(unit, _)| *unit == metric.unit).map(|(_, word)| *word);
    for suffix in [unit, is_ratio.then_some("ratio"), is_total.then_some("total")].into_iter().flatten() {
        let suffix = format!("_{suffix}");
        if !name.ends_with(&suffix) {
            name.push_str(&suffix);
        }
    }
    name
}

/// Labels, sorted; where two keys become one name their values are joined, as the rules want it.
pub(super) fn labels(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let mut sorted: Vec<&KeyValue> = attributes.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for attribute in sorted {
        let value = attribute.value.as_ref().map(shown).unwrap_or_default();
        let known = labels.entry(clean(&attribute.key));
        known.and_modify(|all| *all = format!("{all};{value}")).or_insert(value);
    }
    labels.into_iter().collect()
}

/// Letters, digits and underscores, no digit in front.
fn clean(name: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let clean: String = name.chars().map(legal).collect();
    if clean.starts_with(|c: char| c.is_ascii_digit()) { format!("key_{clean}") } else { clean }
}

fn shown(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(n)) => n.to_string(),
        Some(Value::DoubleValue(x)) => x.to_string(),
        Some(Value::BoolValue(b)) => b.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::{Gauge, Histogram, Sum};
    use tachograph_schema::otlp::Attributes;

    use super::*;

    fn named(name: &str, unit: &str, data: Data) -> String {
        family(&Metric { name: name.into(), unit: unit.into(), data: Some(data), ..Metric::default() })
    }

    #[test]
    fn a_documented_name_stays_whatever_its_unit_and_type() {
        let counter = || Data::Sum(Sum { is_monotonic: true, ..Sum::default() });
        for name in ["genai_llm_first_token_seconds", "gen_ai_server_request_duration", "prompt_tokens_total"] {
            assert_eq!(named(name, "s", counter()), name);
        }
    }

    #[test]
    fn other_names_get_their_unit_and_total() {
        let sum = |is_monotonic| Data::Sum(Sum { is_monotonic, ..Sum::default() });
        let gauge = || Data::Gauge(Gauge::default());
        assert_eq!(
            named("gen_ai.server.request.duration", "s", Data::Histogram(Histogram::default())),
            "gen_ai_server_request_duration_seconds"
        );
        assert_eq!(named("process.cpu.time", "s", sum(true)), "process_cpu_time_seconds_total");
        assert_eq!(named("process.memory.usage", "By", sum(false)), "process_memory_usage_bytes");
        assert_eq!(named("tachograph.ring.usage", "1", gauge()), "tachograph_ring_usage_ratio");
        assert_eq!(named("tachograph.records", "{record}", sum(true)), "tachograph_records_total");
    }

    #[test]
    fn keys_that_become_one_label_share_it() {
        let mut attributes = Attributes::default();
        attributes.set("a.b", "2").set("a-b", "1").set("0x", 7i64);
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        assert_eq!(labels(&attributes.0), [pair("a_b", "1;2"), pair("key_0x", "7")]);
    }
}
