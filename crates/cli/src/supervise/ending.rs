//! How the supervisor ends: as the engine did.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::libc;
use nix::sys::prctl;

/// What a shell adds to the number of the signal that ended a command.
const SIGNAL_BASE: i32 = 128;

/// Ends this process as `status` says: same code, or same signal, without a core of its own.
///
/// PID 1 cannot die by a signal; it exits as a shell would report it.
pub(super) fn leave_as(status: ExitStatus) -> ! {
    if let Some(number) = status.signal() {
        let _ = prctl::set_dumpable(false);
        die_by(number);
        std::process::exit(SIGNAL_BASE + number);
    }
    std::process::exit(status.code().unwrap_or(1));
}

/// Raises signal `number`, which is blocked until then; other pending ones stay blocked. Returns where that does not
/// kill.
fn die_by(number: i32) {
    // SAFETY: sets a default disposition (no handler of ours exists) and raises a signal; `set` is initialised by
    // sigemptyset before it is used.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
        let mut set = std::mem::MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), number);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
    }
}
