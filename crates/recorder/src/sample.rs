//! Which traces leave (`OTEL_TRACES_SAMPLER`). Sampling concerns spans only: metrics count everything.

use crate::request::Trace;

/// Decision for a trace that begins here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Root {
    /// Keep all.
    Always,
    /// Keep none.
    Never,
    /// Keep those whose id, read as a number, is below this.
    Below(u64),
}

impl Root {
    /// Keep a share between 0 and 1, the same traces everywhere.
    #[must_use]
    pub fn ratio(share: f64) -> Self {
        if share >= 1.0 {
            Self::Always
        } else if share > 0.0 {
            // As the OpenTelemetry SDKs do: the low 63 bits of the id against the share of their range.
            Self::Below((share * (1u64 << 63) as f64) as u64)
        } else {
            Self::Never
        }
    }
}

/// A sampler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// For traces that begin here.
    pub root: Root,
    /// Whether the caller's decision is followed where there is one.
    pub parent_based: bool,
}

impl Sampler {
    /// Whether a trace leaves; `parent_sampled` is the caller's decision.
    #[must_use]
    pub fn keeps(&self, trace_id: &[u8; 16], parent_sampled: Option<bool>) -> bool {
        if let (true, Some(sampled)) = (self.parent_based, parent_sampled) {
            return sampled;
        }
        let mut low = [0; 8];
        low.copy_from_slice(&trace_id[8..]);
        match self.root {
            Root::Always => true,
            Root::Never => false,
            Root::Below(bound) => u64::from_be_bytes(low) >> 1 < bound,
        }
    }

    /// Whether the trace of a request leaves.
    #[must_use]
    pub fn keeps_trace(&self, trace: &Trace) -> bool {
        self.keeps(&trace.trace_id, trace.parent.map(|_| trace.flags & 1 == 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decision_of_the_caller_is_followed_only_by_a_parent_based_sampler() {
        let mut sampler = Sampler { root: Root::Always, parent_based: true };
        assert!(!sampler.keeps(&[1; 16], Some(false)) && sampler.keeps(&[1; 16], None));
        sampler.parent_based = false;
        assert!(sampler.keeps(&[1; 16], Some(false)));
    }

    #[test]
    fn a_ratio_keeps_about_its_share_and_always_the_same() {
        let sampler = Sampler { root: Root::ratio(0.25), parent_based: false };
        let id = |i: u64| {
            let mut id = [0; 16];
            id[8..].copy_from_slice(&rapidhash::v3::rapidhash_v3(&i.to_le_bytes()).to_be_bytes());
            id
        };
        let kept = (0..10_000).filter(|&i| sampler.keeps(&id(i), None)).count();
        assert!((2300..2700).contains(&kept), "{kept}");
        assert!(!Sampler { root: Root::ratio(0.0), parent_based: false }.keeps(&[0; 16], None));
    }
}
