//! The key figures of a request, and how those of its sequences (`n` > 1) become one.

/// Key figures of a sequence or of a whole request. Times in microseconds; none where nobody said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Prompt tokens.
    pub(crate) input_tokens: Option<u64>,
    /// Prompt tokens served from the prefix cache.
    pub(crate) cached_tokens: Option<u64>,
    /// Generated tokens.
    pub(crate) output_tokens: Option<u64>,
    /// Generated tokens spent on reasoning.
    pub(crate) reasoning_tokens: Option<u64>,
    /// Time to first token.
    pub(crate) ttft_us: Option<i64>,
    /// Time per output token after the first.
    pub(crate) tpot_us: Option<i64>,
    /// End-to-end latency in the engine.
    pub(crate) e2e_us: Option<i64>,
    /// Time waiting.
    pub(crate) queue_us: Option<i64>,
    /// Time in prefill.
    pub(crate) prefill_us: Option<i64>,
    /// Time in decode.
    pub(crate) decode_us: Option<i64>,
    /// Preemptions.
    pub(crate) preemptions: Option<u32>,
    /// Requests waiting at arrival.
    pub(crate) queue_depth: Option<u32>,
    /// Data-parallel rank.
    pub(crate) engine_index: Option<u32>,
}

impl Figures {
    /// What is missing here, taken from `other`.
    pub(crate) fn or(self, other: &Self) -> Self {
        Self {
            input_tokens: self.input_tokens.or(other.input_tokens),
            cached_tokens: self.cached_tokens.or(other.cached_tokens),
            output_tokens: self.output_tokens.or(other.output_tokens),
            reasoning_tokens: self.reasoning_tokens.or(other.reasoning_tokens),
            ttft_us: self.ttft_us.or(other.ttft_us),
            tpot_us: self.tpot_us.or(other.tpot_us),
            e2e_us: self.e2e_us.or(other.e2e_us),
            queue_us: self.queue_us.or(other.queue_us),
            prefill_us: self.prefill_us.or(other.prefill_us),
            decode_us: self.decode_us.or(other.decode_us),
            preemptions: self.preemptions.or(other.preemptions),
            queue_depth: self.queue_depth.or(other.queue_depth),
            engine_index: self.engine_index.or(other.engine_index),
        }
    }

    /// Of the sequences of one request: the first token is the earliest; the end and its parts are those of the one
    /// that took longest, so that they belong to one timeline; the prompt is shared, so its tokens count once; what was
    /// generated and preempted adds up; time per output token is the mean.
    pub(crate) fn of_sequences(sequences: &[Self]) -> Self {
        let max = |of: fn(&Self) -> Option<u64>| sequences.iter().filter_map(of).max();
        let sum = |of: fn(&Self) -> Option<u64>| sequences.iter().filter_map(of).reduce(u64::saturating_add);
        let slowest = sequences.iter().max_by_key(|s| s.e2e_us).copied().unwrap_or_default();
        Self {
            input_tokens: max(|s| s.input_tokens),
            cached_tokens: max(|s| s.cached_tokens),
            output_tokens: sum(|s| s.output_tokens),
            reasoning_tokens: sum(|s| s.reasoning_tokens),
            ttft_us: sequences.iter().filter_map(|s| s.ttft_us).min(),
            tpot_us: mean(sequences.iter().filter_map(|s| s.tpot_us)),
            preemptions: sequences.iter().filter_map(|s| s.preemptions).reduce(u32::saturating_add),
            queue_depth: sequences.iter().filter_map(|s| s.queue_depth).max(),
            engine_index: sequences.iter().find_map(|s| s.engine_index),
            ..slowest
        }
    }
}

fn mean(values: impl Iterator<Item = i64>) -> Option<i64> {
    let (sum, n) = values.fold((0_i128, 0_i128), |(sum, n), v| (sum + i128::from(v), n + 1));
    i64::try_from(sum.checked_div(n)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_choices_share_the_prompt_and_add_up_what_they_generate() {
        let first = Figures {
            input_tokens: Some(7),
            output_tokens: Some(10),
            ttft_us: Some(300),
            tpot_us: Some(20),
            e2e_us: Some(900),
            preemptions: Some(1),
            ..Figures::default()
        };
        let second =
            Figures { output_tokens: Some(5), ttft_us: Some(200), tpot_us: Some(40), e2e_us: Some(800), ..first };
        let both = Figures::of_sequences(&[first, second]);
        let expected = Figures {
            input_tokens: Some(7),
            output_tokens: Some(15),
            ttft_us: Some(200),
            tpot_us: Some(30),
            e2e_us: Some(900),
            preemptions: Some(2),
            ..Figures::default()
        };
        assert_eq!(both, expected);
    }

    #[test]
    fn of_no_sequence_nothing_is_known() {
        assert_eq!(Figures::of_sequences(&[]), Figures::default());
    }
}
