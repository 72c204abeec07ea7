//! Child processes: spawning with the caller's signal mask, and what became of them.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

use nix::libc;
use nix::sys::signal::SigSet;

/// The command line of the engine; never empty.
#[derive(Clone, Debug)]
pub(crate) struct Argv {
    program: OsString,
    arguments: Vec<OsString>,
}

impl Argv {
    /// `None` for an empty command line.
    pub(crate) fn new(words: Vec<OsString>) -> Option<Self> {
        let mut words = words.into_iter();
        Some(Self { program: words.next()?, arguments: words.collect() })
    }

    /// Its program, for messages.
    pub(super) fn program(&self) -> std::borrow::Cow<'_, str> {
        self.program.to_string_lossy()
    }

    /// The command as it was given.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }

    /// Becomes the command; returns only where that fails, with the error.
    pub(super) fn exec(&self) -> std::io::Error {
        self.command().exec()
    }
}

/// What a terminal sends to stop a process.
const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
/// What is sent to end a process.
const ENDS: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM];

/// Has the child start with `mask`.
///
/// A Ctrl-Z since its fork is dropped: it would stop the child before it becomes the command, and the supervisor, which
/// waits for that, with it.
pub(super) fn with_mask(command: &mut Command, mask: SigSet) -> &mut Command {
    let unblock = move || {
        for stop in STOPS {
            // SAFETY: sets a disposition that is no function, and then the one that was there.
            unsafe {
                let before = libc::signal(stop, libc::SIG_IGN);
                libc::signal(stop, before);
            }
        }
        Ok(mask.thread_set_mask()?)
    };
    // SAFETY: signal and pthread_sigmask are async-signal-safe and the closure owns its argument.
    unsafe { command.pre_exec(unblock) }
}

/// Puts the child in a session of its own, out of reach of the terminal, has it ignore what is sent to end a process
/// (unless it listens later), and keeps descriptors beyond 0, 1 and 2 from it: they are the engine's, and a copy would
/// hold its pipes and locks.
pub(super) fn apart(command: &mut Command) -> &mut Command {
    let detach = || {
        nix::unistd::setsid()?;
        for end in ENDS {
            // SAFETY: sets a disposition that is no function.
            unsafe { libc::signal(end, libc::SIG_IGN) };
        }
        // SAFETY: passes integers only. An old kernel without it costs nothing but the tidiness.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        Ok(())
    };
    // SAFETY: setsid, signal and close_range are async-signal-safe; the closure captures nothing.
    unsafe { command.pre_exec(detach) }
}

/// A child whose state changed.
pub(super) struct Change {
    /// Its process id. After an end it may be given to another process.
    pub(super) pid: i32,
    /// What happened.
    pub(super) status: ExitStatus,
}

impl Change {
    /// The next change of any child, orphans that PID 1 inherits included; `None` when there is none now.
    pub(super) fn next() -> Option<Self> {
        let mut status = 0;
        // SAFETY: waitpid writes one integer into `status`.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::WUNTRACED) };
        (pid > 0).then(|| Self { pid, status: ExitStatus::from_raw(status) })
    }
}
