//! What a series can be of: `ttft:p95`, `requests:rate`, `metric.vllm_iter_count:rate`.

use tachograph_schema::metric;

use super::documented;
use crate::query::Figure;

/// One series asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// The name as it was asked.
    pub(crate) name: String,
    /// The statistic.
    pub(crate) stat: Stat,
    pub(super) quantity: Quantity,
}

/// A statistic of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stat {
    Rate,
    Count,
    Sum,
    P50,
    P90,
    P95,
    P99,
    Mean,
    Max,
    Last,
}

impl Stat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Last => "last",
        }
    }
}

/// Where a quantity comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Quantity {
    /// Requests that meet a condition.
    Events { condition: &'static str, unit: &'static str },
    /// Something that requests have an amount of.
    Total { column: &'static str, unit: &'static str },
    /// A time of each request.
    Latency(Figure),
    /// A level that the engine reports.
    Level { names: &'static [&'static str], combine: Combine },
    /// Something that the engine counts.
    Counter { names: &'static [&'static str] },
    /// Two things that the engine counts, the first as a share of the second.
    Ratio { part: &'static [&'static str], whole: &'static [&'static str] },
    /// A metric by its own name.
    Metric(String),
}

/// How the levels of several engines become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combine {
    /// They add up.
    Add,
    /// A share stays a share: the mean of means, the highest of highest.
    Share,
}

impl Combine {
    /// Of a metric by its own name.
    pub(super) fn of(name: &str, stat: Stat) -> Self {
        if stat == Stat::Last && !documented::is_share(name) { Self::Add } else { Self::Share }
    }
}

/// A series that does not exist, and what to ask instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedError {
    pub(crate) message: String,
    pub(crate) hint: String,
}

pub(in crate::query) const RUNNING: &[&str] =
    &["gen_ai_vllm_num_requests_running", "num_running_sys", "sglang_num_running_reqs"];
pub(in crate::query) const WAITING: &[&str] =
    &["gen_ai_vllm_num_requests_waiting", "num_waiting_sys", "sglang_num_queue_reqs"];
pub(in crate::query) const KV_USAGE: &[&str] =
    &["gen_ai_vllm_kv_cache_usage_perc", "gpu_cache_usage_sys", "sglang_token_usage"];
const PREFIX_HITS: &[&str] = &["gen_ai_vllm_prefix_cache_hits", "gen_ai_sglang_cached_tokens_total"];
/// SGLang looks up every prompt token.
const PREFIX_QUERIES: &[&str] = &["gen_ai_vllm_prefix_cache_queries", "prompt_tokens_total"];
pub(in crate::query) const STEPS: &[&str] = &["vllm_iter_count"];
pub(in crate::query) const GENERATION: &[&str] =
    &["gen_ai_vllm_generation_tokens", "num_generation_tokens_iter", "generation_tokens_total"];
const PROMPT: &[&str] = &["gen_ai_vllm_prompt_tokens", "num_prompt_tokens_iter", "prompt_tokens_total"];

/// Names of all quantities but `metric.…`.
const NAMES: [&str; 23] = [
    "requests",
    "errors",
    "aborted",
    "refused",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "preemptions",
    "ttft",
    "tpot",
    "e2e",
    "queue",
    "prefill",
    "decode",
    "duration",
    "running",
    "waiting",
    "kv_usage",
    "prefix_hit_ratio",
    "steps",
    "generation_tokens",
    "prompt_tokens",
    "metric.<name>",
];

impl Wanted {
    /// From `name:stat`, or `name` with its usual statistic.
    pub(crate) fn parse(text: &str) -> Result<Self, WantedError> {
        let (name, stat) = text.split_once(':').map_or((text, None), |(name, stat)| (name, Some(stat)));
        let quantity = Quantity::from_name(name).ok_or_else(|| WantedError {
            message: format!("no such series: {name}"),
            hint: format!("one of {}, e.g. series=ttft:p95", NAMES.join(", ")),
        })?;
        let stats = quantity.stats();
        let stat = match stat {
            None => stats.first().copied(),
            Some(stat) => stats.iter().copied().find(|s| s.name() == stat),
        };
        let known = || stats.iter().map(|s| s.name()).collect::<Vec<_>>().join(", ");
        let stat = stat.ok_or_else(|| WantedError {
            message: format!("{name} has no such statistic: {}", text.rsplit(':').next().unwrap_or_default()),
            hint: format!("one of {}, e.g. series={name}:{}", known(), stats.first().map_or("", |s| s.name())),
        })?;
        Ok(Self { name: name.to_owned(), stat, quantity })
    }

    /// Whether it is made from metrics, which have fewer labels than requests.
    pub(crate) fn is_of_points(&self) -> bool {
        !matches!(self.quantity, Quantity::Events { .. } | Quantity::Total { .. } | Quantity::Latency(_))
    }

    /// UCUM unit.
    pub(super) fn unit(&self) -> String {
        let unit = match &self.quantity {
            Quantity::Events { unit, .. } | Quantity::Total { unit, .. } => unit,
            Quantity::Latency(_) => "s",
            Quantity::Level { combine: Combine::Add, .. } => "{request}",
            Quantity::Level { combine: Combine::Share, .. } | Quantity::Ratio { .. } => "1",
            Quantity::Counter { names: STEPS } => "{step}",
            Quantity::Counter { .. } => "{token}",
            Quantity::Metric(name) => documented_unit(name),
        };
        if self.stat == Stat::Rate { format!("{unit}/s") } else { unit.to_owned() }
    }
}

fn documented_unit(name: &str) -> &'static str {
    let documented = metric::ALL.iter().find(|m| m.name == name).map(|m| m.unit);
    documented.or_else(|| metric::SEMCONV.iter().find(|m| m.name == name).map(|m| m.unit)).unwrap_or("1")
}

impl Quantity {
    fn from_name(name: &str) -> Option<Self> {
        let events = |condition| Self::Events { condition, unit: "{request}" };
        let tokens = |column| Self::Total { column, unit: "{token}" };
        let figure = |figure| Self::Latency(figure);
        Some(match name {
            "requests" => events("true"),
            "errors" => events("outcome IN ('refused', 'failed', 'engine_died')"),
            "aborted" => events("outcome = 'aborted'"),
            "refused" => events("outcome = 'refused'"),
            "input_tokens" | "output_tokens" | "cached_tokens" => tokens(NAMES.iter().copied().find(|n| *n == name)?),
            "preemptions" => Self::Total { column: "preemptions", unit: "{preemption}" },
            "ttft" => figure(Figure::Ttft),
            "tpot" => figure(Figure::Tpot),
            "e2e" => figure(Figure::E2e),
            "queue" => figure(Figure::Queue),
            "prefill" => figure(Figure::Prefill),
            "decode" => figure(Figure::Decode),
            "duration" => figure(Figure::Duration),
            "running" => Self::Level { names: RUNNING, combine: Combine::Add },
            "waiting" => Self::Level { names: WAITING, combine: Combine::Add },
            "kv_usage" => Self::Level { names: KV_USAGE, combine: Combine::Share },
            "prefix_hit_ratio" => Self::Ratio { part: PREFIX_HITS, whole: PREFIX_QUERIES },
            "steps" => Self::Counter { names: STEPS },
            "generation_tokens" => Self::Counter { names: GENERATION },
            "prompt_tokens" => Self::Counter { names: PROMPT },
            other => Self::Metric(other.strip_prefix("metric.").filter(|n| !n.is_empty())?.to_owned()),
        })
    }

    /// The statistics it has, the usual one first.
    fn stats(&self) -> &'static [Stat] {
        match self {
            Self::Events { .. } | Self::Total { .. } => &[Stat::Rate, Stat::Count, Stat::Sum],
            Self::Latency(_) => &[Stat::P95, Stat::P50, Stat::P90, Stat::P99, Stat::Mean, Stat::Max],
            Self::Level { .. } => &[Stat::Mean, Stat::Max],
            Self::Counter { .. } => &[Stat::Rate],
            Self::Ratio { .. } => &[Stat::Mean],
            Self::Metric(_) => &[Stat::Last, Stat::Rate, Stat::Mean],
        }
    }

    /// Whether no request means 0.
    pub(super) fn counts_requests(&self) -> bool {
        matches!(self, Self::Events { .. } | Self::Total { .. })
    }

    /// Names of the metrics that are read for their level.
    pub(super) fn level_names(&self, stat: Stat) -> Vec<&str> {
        match self {
            Self::Level { names, .. } => names.to_vec(),
            Self::Metric(name) if stat == Stat::Last => vec![name],
            Self::Metric(name) if stat == Stat::Mean && documented::observations(name).is_none() => vec![name],
            _ => Vec::new(),
        }
    }

    /// Names of the metrics that are read for their increase.
    pub(super) fn counter_names(&self, stat: Stat) -> Vec<&str> {
        match self {
            Self::Counter { names } => names.to_vec(),
            Self::Ratio { part, whole } => [*part, *whole].concat(),
            Self::Metric(name) if stat == Stat::Rate => vec![name],
            Self::Metric(name) if stat == Stat::Mean => {
                let mut names = vec![name.as_str()];
                names.extend(documented::observations(name).unwrap_or_default());
                names
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test panics

    use super::*;

    #[test]
    fn each_name_is_a_quantity_with_a_usual_statistic() {
        for name in NAMES.iter().filter(|n| !n.starts_with("metric.")) {
            assert_eq!(Wanted::parse(name).unwrap().name, *name);
        }
        assert_eq!(Wanted::parse("ttft").unwrap().stat, Stat::P95);
        assert_eq!(Wanted::parse("metric.a:b").unwrap_err().message, "metric.a has no such statistic: b");
    }

    #[test]
    fn the_names_of_engine_metrics_are_documented_ones() {
        for name in [RUNNING, WAITING, KV_USAGE, PREFIX_HITS, PREFIX_QUERIES, STEPS, GENERATION, PROMPT].concat() {
            assert!(metric::ALL.iter().any(|m| m.name == name), "{name}");
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let error = Wanted::parse("tftt:p95").unwrap_err();
        assert_eq!(error.message, "no such series: tftt");
        assert!(error.hint.contains("ttft"), "{}", error.hint);
    }
}
