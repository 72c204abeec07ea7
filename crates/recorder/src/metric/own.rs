//! The recorder's own metrics: sent + dropped + waiting = produced, for spans and for metric points; and for records
//! read + dropped = produced, but for those still in the rings.

use std::collections::HashMap;

use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};
use tachograph_schema::metric::{OWN, Own as Row};

use super::point::{Window, gauge, int, labels, metric};
use crate::config::Temporality;
use crate::health::{Counts, Health, Unit};

type Pairs = Vec<(&'static str, &'static str)>;

/// What was told before, for delta.
#[derive(Debug, Default)]
pub(super) struct Own {
    told: HashMap<(&'static str, Pairs), u64>,
}

impl Own {
    pub(super) fn collect(&mut self, window: Window, health: &Health) -> Vec<Metric> {
        let counts = health.snapshot();
        health.update(|c| c.lag_s = 0.0);
        OWN.iter().map(|row| self.row(row, &counts, window)).collect()
    }

    fn row(&mut self, row: &'static Row, counts: &Counts, window: Window) -> Metric {
        let unit = |u: &Unit| ("tachograph.unit", u.name());
        let by_unit = |map: &std::collections::BTreeMap<Unit, u64>| -> Vec<(Pairs, u64)> {
            map.iter().map(|(u, n)| (vec![unit(u)], *n)).collect()
        };
        let values: Vec<(Pairs, u64)> = match row.name {
            "tachograph.records" => vec![
                (vec![("tachograph.state", "produced")], counts.records_produced),
                (vec![("tachograph.state", "read")], counts.records_read),
                (vec![("tachograph.state", "suppressed")], counts.records_suppressed),
            ],
            "tachograph.requests" => {
                counts.requests.iter().map(|(o, n)| (vec![("tachograph.outcome", *o)], *n)).collect()
            }
            "tachograph.export.produced" => by_unit(&counts.produced),
            "tachograph.export.sent" => by_unit(&counts.sent),
            "tachograph.export.retries" => by_unit(&counts.retries),
            "tachograph.export.queued" => by_unit(&counts.queued),
            "tachograph.dropped" => counts
                .dropped
                .iter()
                .map(|((u, reason), n)| (vec![unit(u), ("tachograph.reason", *reason)], *n))
                .collect(),
            _ => Vec::new(),
        };
        let data = if row.is_level {
            let mut points: Vec<NumberDataPoint> =
                values.iter().map(|(pairs, n)| window.number(labels(pairs.iter().copied()), int(*n))).collect();
            if row.name == "tachograph.lag" {
                points.push(window.number(Vec::new(), Value::AsDouble(counts.lag_s)));
            }
            gauge(points)
        } else {
            let points = values.into_iter().map(|(pairs, n)| {
                let attributes = labels(pairs.iter().copied());
                window.number(attributes, int(self.since_told(row.name, pairs, n, window.temporality)))
            });
            window.sum(points.collect())
        };
        metric(row.name, row.unit, row.meaning, data)
    }

    fn since_told(&mut self, name: &'static str, pairs: Pairs, now: u64, temporality: Temporality) -> u64 {
        match temporality {
            Temporality::Cumulative => now,
            Temporality::Delta => now - self.told.insert((name, pairs), now).unwrap_or(0),
        }
    }
}
