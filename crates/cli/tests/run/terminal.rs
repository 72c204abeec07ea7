//! At a terminal: Ctrl-C once, Ctrl-Z and `fg` as ever.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::libc;
use nix::pty::openpty;

use crate::case::{COUNTER, Case, within_patience};

const CTRL_C: u8 = 3;
const CTRL_Z: u8 = 26;

/// A command at a terminal of its own, as the session's leader.
struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<String>>,
    child: Child,
}

impl Terminal {
    fn start(mut command: Command) -> Self {
        let pty = openpty(None, None).unwrap();
        let stream = |descriptor: &OwnedFd| Stdio::from(descriptor.try_clone().unwrap());
        command.stdin(stream(&pty.slave)).stdout(stream(&pty.slave)).stderr(stream(&pty.slave));
        // A shell without job control starts what it starts with `&` deaf to the keyboard, and so would be all that
        // descends from it: a terminal's session begins as a login does.
        // SAFETY: signal, setsid and ioctl are async-signal-safe; no handler is set; 0 is the terminal.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                nix::unistd::setsid()?;
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let mut output = File::from(pty.master.try_clone().unwrap());
        let copy = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                copy.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { keyboard: File::from(pty.master), screen, child }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// How often `text` is on the screen.
    fn count(&self, text: &str) -> usize {
        self.screen.lock().unwrap().matches(text).count()
    }

    fn shows(&self, text: &str, times: usize) {
        let shown = within_patience(|| (self.count(text) >= times).then_some(()));
        assert!(shown.is_some(), "in vain waited for {text} {times} times:\n{}", self.screen.lock().unwrap());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ctrl_c_reaches_the_engine_once() {
    let case = Case::new();
    let mut terminal = Terminal::start(case.run(&["--", "python3", "-c", COUNTER]));
    terminal.shows("ready", 1);
    terminal.press(&[CTRL_C]);
    terminal.shows("SIGINT", 1);
    terminal.press(&[CTRL_C]);
    terminal.shows("SIGINT", 2);
    terminal.child.wait().unwrap();
    assert_eq!(terminal.count("SIGINT"), 2);
    case.nothing_is_left();
}

#[test]
fn ctrl_c_also_reaches_a_script_around_it() {
    let case = Case::new();
    let script = format!("{} run -- sleep 60; echo went on", env!("CARGO_BIN_EXE_tachograph"));
    let mut command = case.program("bash");
    command.args(["-c", &script]);
    let mut terminal = Terminal::start(command);
    case.recorder_other_than(None);
    terminal.press(&[CTRL_C]);
    terminal.child.wait().unwrap();
    assert_eq!(terminal.count("went on"), 0);
    case.nothing_is_left();
}

#[test]
fn ctrl_z_stops_the_job_and_fg_goes_on_with_it() {
    let case = Case::new();
    let mut command = case.program("bash");
    command.args(["--norc", "--noediting", "-i"]);
    command.env("TACHOGRAPH", env!("CARGO_BIN_EXE_tachograph")).env("PS1", "next? ");
    let mut terminal = Terminal::start(command);
    terminal.press(b"$TACHOGRAPH run -- sh -c 'echo at work: $((40+2)); read line; echo got $line; sleep 60'\n");
    terminal.shows("at work: 42", 1);
    terminal.press(&[CTRL_Z]);
    terminal.shows("Stopped", 1);
    terminal.press(b"echo shell $((6*7))\n");
    terminal.shows("shell 42", 1);
    terminal.press(b"fg\n");
    terminal.shows("sh -c", 3);
    terminal.press(b"input\n");
    terminal.shows("got input", 1);
    terminal.press(&[CTRL_C]);
    terminal.shows("next? ", 4);
    terminal.press(b"echo code $?\n");
    terminal.shows("code 130", 1);
    terminal.press(b"exit\n");
    terminal.child.wait().unwrap();
    case.nothing_is_left();
}
