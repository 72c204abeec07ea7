//! Engines as they last reported: what each does, and how fast it was.

use std::collections::{BTreeMap, HashMap};

use tachograph_schema::attribute;
use tachograph_schema::metric::{ALL, EngineLine as Line};
use tachograph_store::Store;

use super::QueryError;
use super::latest::{Fleet, Latest, latest};
use super::request::unix_ms;
use super::series::wanted::{GENERATION, KV_USAGE, RUNNING, STEPS, WAITING};
use super::series::{By, Grid, LOOKBACK_NS, SeriesQuery, Wanted, series};
use crate::api::wire::{EngineLine, EngineRow, Engines};

/// What a row is of: application, launch, data-parallel rank.
type Key = (String, String, Option<u32>);

/// Figures over the range, by name and the labels of [`BY`].
type Figures = HashMap<(String, Vec<String>), f64>;

const BY: [By; 3] = [By::Service, By::Instance, By::EngineIndex];

/// What is read for its last value; each line has at least one of its own.
const NAMES: [&[&str]; 6] = [RUNNING, WAITING, KV_USAGE, STEPS, GENERATION, &["sglang_log_count"]];

/// Engines that reported in the range.
pub(crate) async fn engines(store: &dyn Store, fleet: &Fleet) -> Result<Engines, QueryError> {
    let names = NAMES.concat();
    let (points, figures) = futures::try_join!(latest(store, fleet, &names), figures(store, fleet))?;
    let mut rows: BTreeMap<Key, Vec<Latest>> = BTreeMap::new();
    for point in points {
        rows.entry((point.service.clone(), point.instance.clone(), point.engine_index)).or_default().push(point);
    }
    let row = |(key, points): (Key, Vec<Latest>)| row(key, &points, fleet.to_ns, &figures);
    Ok(Engines { engines: rows.into_iter().filter_map(row).collect() })
}

/// Rates and latencies over the range.
async fn figures(store: &dyn Store, fleet: &Fleet) -> Result<Figures, QueryError> {
    let wanted = ["generation_tokens:rate", "ttft:p50"].iter().filter_map(|w| Wanted::parse(w).ok()).collect();
    let Some(grid) = Grid::new(fleet.from_ns, fleet.to_ns, Some(i64::MAX)) else {
        return Ok(Figures::new());
    };
    let query = SeriesQuery { grid, by: BY.to_vec(), filter: fleet.filter.clone(), wanted };
    let mut figures = Figures::new();
    for one in series(store, &query).await?.series {
        let labels = BY.iter().map(|by| one.labels.get(by.name()).cloned().unwrap_or_default()).collect();
        figures.extend(one.values.first().copied().flatten().map(|value| ((one.name, labels), value)));
    }
    Ok(figures)
}

fn row(key: Key, points: &[Latest], to_ns: i64, figures: &Figures) -> Option<EngineRow> {
    let newest = points.iter().max_by_key(|p| p.last_ns)?;
    let level = |names: &[&str]| {
        let of = points.iter().filter(|p| names.contains(&p.name.as_str())).max_by_key(|p| p.last_ns)?;
        (to_ns.saturating_sub(of.last_ns) < LOOKBACK_NS).then(|| of.value())
    };
    let (service, instance, engine_index) = key;
    // Spans of an engine that does not count its ranks may say 0 all the same.
    let indices: Vec<String> = engine_index.map_or_else(|| vec![String::new(), "0".into()], |i| vec![i.to_string()]);
    let figure = |name: &str| {
        let labels = |index: &String| (name.to_owned(), vec![service.clone(), instance.clone(), index.clone()]);
        indices.iter().find_map(|index| figures.get(&labels(index)).copied())
    };
    Some(EngineRow {
        engine_index,
        model: newest.model.clone(),
        line: line(newest, points),
        version: newest.of_resource(attribute::ENGINE_VERSION),
        host: newest.of_resource(attribute::HOST_NAME),
        running: level(RUNNING),
        waiting: level(WAITING),
        kv_usage: level(KV_USAGE),
        generation_tokens_per_s: figure("generation_tokens"),
        ttft_p50_s: figure("ttft"),
        last_ms: unix_ms(newest.last_ns),
        service,
        instance,
    })
}

/// What the sender says it is, or else whose metrics it has.
fn line(newest: &Latest, points: &[Latest]) -> EngineLine {
    let provider = newest.of_resource(attribute::PROVIDER);
    let generation = newest.of_resource(attribute::ENGINE_GENERATION);
    match (provider.as_deref(), generation.as_deref()) {
        (Some("sglang"), _) => EngineLine::Sglang,
        (Some("vllm"), Some("v0")) => EngineLine::VllmV0,
        (Some("vllm"), Some("v1")) => EngineLine::VllmV1,
        _ => {
            let own = points.iter().find_map(|p| match ALL.iter().find(|m| m.name == p.name)?.engines {
                [line] => Some(EngineLine::from(*line)),
                _ => None,
            });
            // Of what is read here only vLLM's count of steps has two lines; V1 is the one that is still made.
            own.unwrap_or(EngineLine::VllmV1)
        }
    }
}

impl From<Line> for EngineLine {
    fn from(line: Line) -> Self {
        match line {
            Line::VllmV0 => Self::VllmV0,
            Line::VllmV1 => Self::VllmV1,
            Line::Sglang => Self::Sglang,
        }
    }
}
