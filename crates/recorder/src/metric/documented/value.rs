//! The value of each documented metric, by its name and engine line.

use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use tachograph_ring::record::{FinishReason, Quantity};
use tachograph_schema::metric::EngineLine;

use super::engine::{Engine, Sums};
use crate::metric::point::int;
use crate::request::finish_name;

const REASONS: [FinishReason; 5] =
    [FinishReason::Stop, FinishReason::Length, FinishReason::Abort, FinishReason::Error, FinishReason::Repetition];

/// A dimension of the metric's own.
pub(super) type Dimension = Option<(&'static str, &'static str)>;

/// The values of a documented metric with the dimensions of its own; none where the line has no such metric.
/// `now_ns` is monotonic.
pub(super) fn values(line: EngineLine, name: &str, engine: &Engine, now_ns: u64) -> Vec<(Dimension, Value)> {
    let s = &engine.sums;
    if name == "llm_usage_tokens" {
        return vec![
            (Some(("usageType", "input")), int(s.prompt_tokens)),
            (Some(("usageType", "output")), int(s.told_tokens)),
        ];
    }
    if name == "gen_ai_vllm_request_success" {
        let by_reason = |r| (Some(("finished_reason", r)), int(s.success.get(r).copied().unwrap_or(0)));
        return REASONS.map(finish_name).map(by_reason).into();
    }
    let of_line = match line {
        EngineLine::VllmV0 => vllm(name, s).or_else(|| vllm_v0(name, engine)),
        EngineLine::VllmV1 => vllm(name, s).or_else(|| vllm_v1(name, engine)),
        EngineLine::Sglang => sglang(name, engine, now_ns),
    };
    of_line.map(|value| (None, value)).into_iter().collect()
}

/// Both generations of vLLM.
fn vllm(name: &str, s: &Sums) -> Option<Value> {
    Some(match name {
        "vllm_iter_count" => int(s.iterations),
        "genai_llm_first_token_seconds" => Value::AsDouble(s.ttft),
        "gen_ai_server_time_per_output_token" => Value::AsDouble(s.tpot),
        "gen_ai_server_request_duration" => Value::AsDouble(s.e2e),
        _ => return None,
    })
}

fn vllm_v0(name: &str, engine: &Engine) -> Option<Value> {
    let s = &engine.sums;
    Some(match name {
        "gpu_cache_usage_sys" => Value::AsDouble(engine.kv_usage),
        "cpu_cache_usage_sys" => Value::AsDouble(engine.level(Quantity::CpuKvUsage)),
        "num_running_sys" => int(engine.running),
        "num_waiting_sys" => int(engine.waiting),
        "num_swapped_sys" => whole(engine.level(Quantity::Swapped)),
        "num_prompt_tokens_iter" => int(s.computed_tokens),
        "num_generation_tokens_iter" => int(s.told_tokens),
        "num_tokens_iter" => int(s.computed_tokens + s.told_tokens),
        "num_preemption_iter" => int(s.preemptions),
        _ => return None,
    })
}

fn vllm_v1(name: &str, engine: &Engine) -> Option<Value> {
    let s = &engine.sums;
    Some(match name {
        "gen_ai_vllm_num_requests_running" => int(engine.running),
        "gen_ai_vllm_num_requests_waiting" => int(engine.waiting),
        "gen_ai_vllm_kv_cache_usage_perc" => Value::AsDouble(engine.kv_usage),
        "gen_ai_vllm_prefix_cache_queries" => int(s.prefix_queries),
        "gen_ai_vllm_prefix_cache_hits" => int(s.prefix_hits),
        "gen_ai_vllm_num_preemptions" => int(s.preemptions),
        "gen_ai_vllm_prompt_tokens" => int(s.prompt_tokens),
        "gen_ai_vllm_generation_tokens" => int(s.told_tokens),
        "gen_ai_vllm_request_params_n" => int(s.params_n),
        "gen_ai_vllm_request_params_max_tokens" => int(s.params_max_tokens),
        "gen_ai_vllm_request_queue_time_seconds" => Value::AsDouble(s.queue),
        "gen_ai_vllm_request_prefill_time_seconds" => Value::AsDouble(s.prefill),
        "gen_ai_vllm_request_decode_time_seconds" => Value::AsDouble(s.decode),
        "gen_ai_vllm_request_inference_time_seconds" => Value::AsDouble(s.inference),
        _ => return None,
    })
}

fn sglang(name: &str, engine: &Engine, now_ns: u64) -> Option<Value> {
    let s = &engine.sums;
    Some(match name {
        "sglang_num_running_reqs" => int(engine.running),
        "sglang_num_queue_reqs" => int(engine.waiting),
        "sglang_log_count" => int(s.stat_reports),
        "sglang_num_used_tokens" => whole(engine.level(Quantity::UsedTokens)),
        "sglang_token_usage" => {
            Value::AsDouble(engine.levels.get(&Quantity::TokenUsage).copied().unwrap_or(engine.kv_usage))
        }
        "prompt_tokens_total" => int(s.prompt_tokens),
        "generation_tokens_total" => int(s.told_tokens),
        "gen_ai_sglang_cached_tokens_total" => int(s.cached_tokens),
        "sglang_gen_throughput" => Value::AsDouble(throughput(engine, now_ns)),
        "gen_ai_server_time_to_first_token" => Value::AsDouble(s.ttft),
        "gen_ai_server_time_per_output_token" => Value::AsDouble(s.tpot),
        "sglang_inter_token_latency_seconds" => Value::AsDouble(s.itl),
        "gen_ai_server_request_duration" => Value::AsDouble(s.e2e),
        "gen_ai_sglang_cache_hit_rate" => Value::AsDouble(hit_rate(engine)),
        "sglang_spec_accept_length" => Value::AsDouble(engine.level(Quantity::SpecAcceptLength)),
        "num_requests_total" => int(s.sequences),
        _ => return None,
    })
}

/// As the engine reports it, or over all that it looked up where it does not.
fn hit_rate(engine: &Engine) -> f64 {
    let Sums { prefix_hits, prefix_queries, .. } = engine.sums;
    let overall = || if prefix_queries == 0 { 0.0 } else { prefix_hits as f64 / prefix_queries as f64 };
    engine.levels.get(&Quantity::CacheHitRate).copied().unwrap_or_else(overall)
}

/// As the engine reports it (every few steps), or over the last seconds where it never did.
fn throughput(engine: &Engine, now_ns: u64) -> f64 {
    let told = engine.levels.get(&Quantity::GenThroughput).copied();
    told.unwrap_or_else(|| engine.generated.per_second(now_ns))
}

#[allow(clippy::cast_possible_truncation, reason = "saturates")]
fn whole(value: f64) -> Value {
    Value::AsInt(value.round() as i64)
}

#[cfg(test)]
mod tests {
    use tachograph_schema::metric::ALL;

    use super::*;

    const LINES: [EngineLine; 3] = [EngineLine::VllmV0, EngineLine::VllmV1, EngineLine::Sglang];

    #[test]
    fn every_documented_metric_has_a_value_on_its_lines_and_on_no_other() {
        for line in LINES {
            for row in ALL {
                let same_name_on_line = ALL.iter().any(|r| r.name == row.name && r.engines.contains(&line));
                let has = !values(line, row.name, &Engine::default(), 0).is_empty();
                // Two names that are dimensions by themselves are shared by all lines.
                assert!(has == same_name_on_line || row.name == "gen_ai_vllm_request_success", "{line:?} {}", row.name);
            }
        }
    }

    #[test]
    fn counts_are_whole_numbers_and_durations_shares_and_rates_are_not() {
        const SHARES: [&str; 7] = [
            "gpu_cache_usage_sys",
            "cpu_cache_usage_sys",
            "gen_ai_vllm_kv_cache_usage_perc",
            "sglang_token_usage",
            "sglang_gen_throughput",
            "gen_ai_sglang_cache_hit_rate",
            "sglang_spec_accept_length",
        ];
        for (line, row) in LINES.iter().flat_map(|line| ALL.iter().map(move |row| (*line, row))) {
            let is_double = row.unit == "s" || SHARES.contains(&row.name);
            for (_, value) in values(line, row.name, &Engine::default(), 0) {
                assert_eq!(matches!(value, Value::AsDouble(_)), is_double, "{}", row.name);
            }
        }
    }

    #[test]
    fn the_hit_rate_is_the_engines_own_or_else_that_of_all_look_ups() {
        let mut engine = Engine::default();
        assert!(hit_rate(&engine).abs() < f64::EPSILON);
        (engine.sums.prefix_queries, engine.sums.prefix_hits) = (40, 10);
        assert!((hit_rate(&engine) - 0.25).abs() < f64::EPSILON);
        engine.levels.insert(Quantity::CacheHitRate, 0.5);
        assert!((hit_rate(&engine) - 0.5).abs() < f64::EPSILON);
    }
}
