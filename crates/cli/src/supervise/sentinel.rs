//! Tells a signal for the supervisor alone from one for its whole process group.
//!
//! The engine stays in the supervisor's process group, as without us: job control, `kill -- -PGID`, scripts and
//! pipelines go on as before. What is sent to the group has reached the engine already, and must not be forwarded
//! again, but nothing in the signal says where it was sent. So a third member of the group, which does nothing but
//! keep signals pending, is asked whether it got it too. The kernel signals the youngest member first, hence the
//! sentinel before the supervisor; senders that go through a list of processes (systemd's control groups, pkill) are
//! given a moment (`SETTLE`). The sentinel is no child of the supervisor: those are the engine and the recorder.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::libc;
use nix::sys::prctl;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

/// How long after a signal the sentinel is asked: time for a sender that goes through a list.
pub(super) const SETTLE: Duration = Duration::from_millis(20);
/// How long an answer may take before the sentinel counts as lost.
const PATIENCE: Duration = Duration::from_millis(500);

/// A set of signal numbers (1 to 64).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SignalMask(u64);

impl SignalMask {
    /// Takes `number` out and says whether it was in.
    pub(super) fn take(&mut self, number: i32) -> bool {
        let bit = bit(number);
        let was_in = self.0 & bit != 0;
        self.0 &= !bit;
        was_in
    }

    fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

fn bit(number: i32) -> u64 {
    u32::try_from(number - 1).ok().and_then(|shift| 1u64.checked_shl(shift)).unwrap_or_default()
}

/// The group's third member; without one every signal counts as sent to the supervisor alone.
pub(super) struct Sentinel {
    member: Option<Member>,
    /// Reached the group; not yet seen by the supervisor.
    reached: SignalMask,
}

struct Member(UnixStream);

impl Sentinel {
    /// Starts the sentinel. The caller has one thread and its signals blocked.
    pub(super) fn start() -> Self {
        Self { member: Member::fork().ok(), reached: SignalMask::default() }
    }

    /// Signals that reached the whole group since the last question, and those still unclaimed from before.
    pub(super) fn reached(&mut self) -> &mut SignalMask {
        if let Some(member) = &mut self.member {
            match member.ask() {
                Ok(mask) => self.reached.join(mask),
                Err(_) => self.stop(),
            }
        }
        &mut self.reached
    }

    /// Ends the sentinel: its socket has no other end then.
    pub(super) fn stop(&mut self) {
        self.member = None;
    }
}

impl Member {
    fn fork() -> std::io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(PATIENCE))?;
        // SAFETY: the supervisor has one thread, so the child may go on as after any call; it never returns.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => waitpid(child, None)?,
            // SAFETY: as above.
            ForkResult::Child => match unsafe { fork() } {
                Ok(ForkResult::Child) => watch(theirs.as_raw_fd()),
                // SAFETY: ends the process without the supervisor's exit handlers.
                Ok(ForkResult::Parent { .. }) | Err(_) => unsafe { libc::_exit(0) },
            },
        };
        Ok(Self(ours))
    }

    fn ask(&mut self) -> std::io::Result<SignalMask> {
        let mut answer = [0; 8];
        self.0.write_all(&[0])?;
        self.0.read_exact(&mut answer)?;
        Ok(SignalMask(u64::from_ne_bytes(answer)))
    }
}

/// The sentinel's whole life: answer until the supervisor is gone and the socket ends.
fn watch(socket: RawFd) -> ! {
    let _ = prctl::set_name(c"tacho-sentinel");
    // SAFETY: only integers are passed, and no Rust object owns a descriptor that is used afterwards: the socket is
    // moved to 0, everything else is closed so that no pipe of the caller is held open.
    unsafe {
        libc::dup2(socket, 0);
        libc::syscall(libc::SYS_close_range, 1, libc::c_uint::MAX, 0);
    }
    let mut question = [0u8; 1];
    loop {
        // SAFETY: reads at most one byte into one byte.
        if unsafe { libc::read(0, question.as_mut_ptr().cast(), 1) } != 1 {
            break;
        }
        let answer = collect().0.to_ne_bytes();
        // SAFETY: writes eight bytes from eight bytes.
        if unsafe { libc::write(0, answer.as_ptr().cast(), answer.len()) } != 8 {
            break;
        }
    }
    // SAFETY: ends the process without the supervisor's exit handlers.
    unsafe { libc::_exit(0) }
}

/// Takes every pending signal.
fn collect() -> SignalMask {
    let mut mask = SignalMask::default();
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        // SAFETY: `set` is initialised by sigfillset before it is read; a null siginfo is allowed.
        let number = unsafe {
            let mut set = std::mem::MaybeUninit::uninit();
            libc::sigfillset(set.as_mut_ptr());
            libc::sigtimedwait(set.as_ptr(), std::ptr::null_mut(), &raw const now)
        };
        if number <= 0 {
            return mask;
        }
        mask.join(SignalMask(bit(number)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_gives_each_signal_once() {
        let mut mask = SignalMask(bit(2) | bit(64));
        assert!(mask.take(64));
        assert!(!mask.take(64));
        assert!(mask.take(2));
        assert_eq!(mask, SignalMask::default());
    }

    #[test]
    fn a_number_that_is_no_signal_is_in_no_mask() {
        assert!(!SignalMask(u64::MAX).take(0));
        assert!(!SignalMask(u64::MAX).take(65));
    }
}
