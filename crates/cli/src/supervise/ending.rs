//! How the supervisor ends: as the engine did.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::SigSet;

/// What a shell adds to the number of the signal that ended a command.
const SIGNAL_BASE: i32 = 128;

/// Ends this process as `status` says: same code, or same signal, without a core of its own.
///
/// PID 1 cannot die by a signal; it exits as a shell would report it.
pub(super) fn leave_as(status: ExitStatus) -> ! {
    if let Some(number) = status.signal() {
        let _ = prctl::set_dumpable(false);
        // SAFETY: sets a default disposition and raises a signal; no handler of ours exists.
        unsafe {
            libc::signal(number, libc::SIG_DFL);
            libc::raise(number);
        }
        let _ = SigSet::all().thread_unblock();
        std::process::exit(SIGNAL_BASE + number);
    }
    std::process::exit(status.code().unwrap_or(1));
}
