//! Signals as data: blocked for the supervisor's whole life and read from a descriptor, so that nothing is lost
//! between two looks and no handler ever runs.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};

/// Raised by a fault of the supervisor itself: blocking them would only hide where it happened.
const FAULTS: [Signal; 7] =
    [Signal::SIGFPE, Signal::SIGILL, Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGABRT, Signal::SIGTRAP, Signal::SIGSYS];

/// The supervisor's signals.
pub(super) struct Signals {
    descriptor: SignalFd,
    original: SigSet,
}

/// One signal that reached the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Signal number; a real-time signal has no name.
    pub(super) number: i32,
    /// Sent by the kernel, which for terminal signals means: to the whole foreground process group.
    pub(super) from_kernel: bool,
    /// Process that sent it; 0 where there is none.
    pub(super) sender: i32,
}

impl From<siginfo> for Arrival {
    fn from(info: siginfo) -> Self {
        Self {
            number: i32::try_from(info.ssi_signo).unwrap_or_default(),
            from_kernel: info.ssi_code > 0,
            sender: i32::try_from(info.ssi_pid).unwrap_or_default(),
        }
    }
}

impl Signals {
    /// Blocks every signal that can be blocked and is no fault.
    ///
    /// # Errors
    /// No descriptor left. The mask is as it was then.
    pub(super) fn take_over() -> Result<Self> {
        let mut mask = SigSet::all();
        for fault in FAULTS {
            mask.remove(fault);
        }
        let descriptor = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .context("cannot open a signal descriptor")?;
        let original = mask.thread_swap_mask(SigmaskHow::SIG_BLOCK).context("cannot block signals")?;
        Ok(Self { descriptor, original })
    }

    /// The mask that the supervisor was started with: what its children get.
    pub(super) fn original(&self) -> SigSet {
        self.original
    }

    /// Gives the signals back, for a command that takes our place.
    pub(super) fn give_back(self) {
        let _ = self.original.thread_set_mask();
    }

    /// Waits for signals until `deadline` (for ever without one), then returns all that are there.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Vec<Arrival> {
        let timeout = deadline.map_or(PollTimeout::NONE, until);
        // An error here is an interruption: with nothing read, the caller only looks once more.
        let _ = poll(&mut [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)], timeout);
        self.pending()
    }

    /// All signals that are there now.
    pub(super) fn pending(&self) -> Vec<Arrival> {
        std::iter::from_fn(|| self.descriptor.read_signal().ok().flatten()).map(Arrival::from).collect()
    }
}

/// Time to `deadline`, rounded up: waking a fraction early would spin.
fn until(deadline: Instant) -> PollTimeout {
    let rest = deadline.saturating_duration_since(Instant::now());
    let rounded = if rest.is_zero() { rest } else { rest + Duration::from_millis(1) };
    PollTimeout::try_from(rounded).unwrap_or(PollTimeout::MAX)
}

/// Sends signal `number` to process `pid`; a process that is gone needs none.
pub(super) fn send(pid: i32, number: i32) {
    // SAFETY: kill takes two integers and touches no memory.
    unsafe { libc::kill(pid, number) };
}
