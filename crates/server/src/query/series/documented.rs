//! What a documented metric is, where its type does not say so.

use tachograph_schema::metric::{ALL, Kind};

/// Sequences that ended: vLLM counts them by their finish reason, SGLang in one number.
const ENDED: &[&str] = &["gen_ai_vllm_request_success", "num_requests_total"];
/// Generated tokens: each but the first of its sequence has a gap before it.
const GENERATED: &[&str] = &["generation_tokens_total"];
/// Levels that are a share or a mean: those of several engines do not add up.
const SHARES: [&str; 6] = [
    "gen_ai_vllm_kv_cache_usage_perc",
    "gpu_cache_usage_sys",
    "cpu_cache_usage_sys",
    "sglang_token_usage",
    "gen_ai_sglang_cache_hit_rate",
    "sglang_spec_accept_length",
];

/// What a documented sum of times is divided by to make a mean; none of any other metric.
pub(super) fn observations(name: &str) -> Option<&'static [&'static str]> {
    let is_time = ALL.iter().any(|m| m.name == name && m.unit == "s" && m.kind == Kind::Counter);
    is_time.then_some(if name == "sglang_inter_token_latency_seconds" { GENERATED } else { ENDED })
}

/// Whether levels of this name do not add up.
pub(super) fn is_share(name: &str) -> bool {
    SHARES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_divided_by_and_what_does_not_add_up_are_documented_metrics() {
        for name in [ENDED, GENERATED, &SHARES].concat() {
            assert!(ALL.iter().any(|m| m.name == name), "{name}");
        }
    }

    #[test]
    fn a_sum_of_times_is_divided_and_a_count_is_not() {
        assert_eq!(observations("gen_ai_vllm_request_queue_time_seconds"), Some(ENDED));
        assert_eq!(observations("sglang_inter_token_latency_seconds"), Some(GENERATED));
        assert_eq!(observations("gen_ai_vllm_prompt_tokens"), None);
        assert_eq!(observations("gen_ai.server.time_to_first_token"), None);
    }
}
