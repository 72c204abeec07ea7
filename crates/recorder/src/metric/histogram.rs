//! The histograms of the GenAI conventions, one observation for each request (two for its tokens).

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::{Histogram, HistogramDataPoint, Metric, metric::Data};
use tachograph_schema::attribute as name;
use tachograph_schema::metric::SEMCONV;

use super::point::{Window, labels, metric};
use crate::config::Temporality;
use crate::figure::RequestFigures;
use crate::request::{Outcome, Request};

/// Most attribute sets of one histogram, as OpenTelemetry's SDKs have it: the model's name is the client's to choose.
const MAX_SETS: usize = 2000;
/// The set that takes what comes after them.
const OVERFLOW: &str = "otel.metric.overflow";

type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Debug)]
struct Buckets {
    counts: Vec<u64>,
    count: u64,
    sum: f64,
}

/// All histograms, by name and attributes.
#[derive(Debug, Default)]
pub(super) struct Histograms {
    sets: BTreeMap<(&'static str, Labels), Buckets>,
}

impl Histograms {
    pub(super) fn request(&mut self, request: &Request, provider: &str) {
        let Some(operation) = request.operation() else { return };
        let figures = RequestFigures::of(request);
        let (outcome, error) = request.outcome();
        let mut common: Labels =
            vec![(name::OPERATION, operation.name().to_owned()), (name::PROVIDER, provider.to_owned())];
        common.extend(request.request_model().map(|m| (name::REQUEST_MODEL, m.to_owned())));
        common.extend(request.response_model().map(|m| (name::RESPONSE_MODEL, m.to_owned())));
        let mut with_error = common.clone();
        with_error.extend(error.map(|e| (name::ERROR_TYPE, e)));
        let e2e = figures.slowest.map(|f| f.e2e);
        let duration = e2e.unwrap_or_else(|| crate::clock::seconds(request.start_ns, request.end_ns));
        self.observe("gen_ai.server.request.duration", with_error, duration);
        if outcome == Outcome::Ok {
            if let Some(ttft) = figures.ttft {
                self.observe("gen_ai.server.time_to_first_token", common.clone(), ttft);
            }
            if let Some(tpot) = figures.tpot {
                self.observe("gen_ai.server.time_per_output_token", common.clone(), tpot);
            }
        }
        for (kind, tokens) in [("input", figures.input_tokens), ("output", figures.output_tokens)] {
            if let Some(tokens) = tokens.filter(|&n| n > 0) {
                let mut labels = common.clone();
                labels.push(("gen_ai.token.type", kind.to_owned()));
                self.observe("gen_ai.client.token.usage", labels, tokens as f64);
            }
        }
    }

    fn observe(&mut self, instrument: &'static str, labels: Labels, value: f64) {
        let Some(bounds) = SEMCONV.iter().find(|s| s.name == instrument).map(|s| s.bounds) else { return };
        let mut key = (instrument, labels);
        if self.sets.len() >= MAX_SETS && !self.sets.contains_key(&key) {
            key.1 = vec![(OVERFLOW, "true".to_owned())];
        }
        let new = || Buckets { counts: vec![0; bounds.len() + 1], count: 0, sum: 0.0 };
        let buckets = self.sets.entry(key).or_insert_with(new);
        // A bucket takes what is not above its bound.
        let at = bounds.partition_point(|&bound| bound < value);
        if let Some(count) = buckets.counts.get_mut(at) {
            *count += 1;
        }
        buckets.count += 1;
        buckets.sum += value;
    }

    pub(super) fn collect(&mut self, window: Window) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for row in SEMCONV {
            let sets = self.sets.iter().filter(|((instrument, _), _)| *instrument == row.name);
            let data_points: Vec<_> = sets
                .map(|((_, set), buckets)| HistogramDataPoint {
                    attributes: labels(set.iter().map(|(k, v)| (*k, v.as_str()))),
                    start_time_unix_nano: window.start_ns,
                    time_unix_nano: window.now_ns,
                    count: buckets.count,
                    sum: Some(buckets.sum),
                    bucket_counts: buckets.counts.clone(),
                    explicit_bounds: row.bounds.to_vec(),
                    ..HistogramDataPoint::default()
                })
                .collect();
            if !data_points.is_empty() {
                let histogram = Histogram { data_points, aggregation_temporality: window.aggregation() };
                metrics.push(metric(row.name, row.unit, row.meaning, Data::Histogram(histogram)));
            }
        }
        if window.temporality == Temporality::Delta {
            self.sets.clear();
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_to_the_bucket_below_it() {
        let mut histograms = Histograms::default();
        for value in [0.01, 0.011, 1e9] {
            histograms.observe("gen_ai.server.request.duration", Vec::new(), value);
        }
        let counts: Vec<_> = histograms.sets.values().map(|b| b.counts.clone()).collect();
        assert_eq!(counts, [[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]);
    }

    #[test]
    fn attribute_sets_beyond_the_bound_share_one() {
        let mut histograms = Histograms::default();
        for i in 0..MAX_SETS + 50 {
            let labels = vec![(name::REQUEST_MODEL, i.to_string())];
            histograms.observe("gen_ai.server.request.duration", labels, 1.0);
        }
        assert_eq!(histograms.sets.len(), MAX_SETS + 1);
    }
}
