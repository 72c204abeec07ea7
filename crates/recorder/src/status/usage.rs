//! What the recorder itself costs.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::{SysconfVar, sysconf};

/// CPU time and memory of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time in its own code, seconds.
    pub user_s: f64,
    /// CPU time in the kernel for it, seconds.
    pub system_s: f64,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
}

impl Usage {
    /// Of this process now; zero where the system does not tell.
    #[must_use]
    pub fn now() -> Self {
        let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        let (user_s, system_s) = getrusage(UsageWho::RUSAGE_SELF)
            .map(|usage| (seconds(usage.user_time()), seconds(usage.system_time())))
            .unwrap_or_default();
        Self { user_s, system_s, rss_bytes: rss_bytes().unwrap_or(0) }
    }

    /// All CPU time, seconds.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

fn rss_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let page = u64::try_from(sysconf(SysconfVar::PAGE_SIZE).ok()??).ok()?;
    Some(pages.saturating_mul(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_memory_and_its_time_only_grows() {
        let before = Usage::now();
        assert!(before.rss_bytes > 100_000, "{before:?}");
        let busy = (0..3_000_000u64).fold(0u64, |a, b| std::hint::black_box(a ^ b));
        std::hint::black_box(busy);
        assert!(Usage::now().cpu_s() >= before.cpu_s());
    }
}
