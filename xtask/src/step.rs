//! One step of a job: a command with its output in a log, shown as a line with its progress and duration.

use std::fs::{self, File};
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::place;

/// How often a step that runs on says so where there is no terminal to redraw.
const REPORT_EVERY: Duration = Duration::from_secs(20);
/// How much of a failed step's log is shown.
const TAIL_BYTES: u64 = 8000;

/// Run `command` as the step `what`; its output goes to `artifacts/logs/<what>.log`.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<()> {
    let log = log_file(what)?;
    let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let started = Instant::now();
    announce(what);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("cannot start {}: is it installed?", command.get_program().display()))?;
    let mut progress = Progress::new(what);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        progress.tick(started, || last_line(&log));
        sleep(Duration::from_millis(200));
    };
    progress.clear();
    if !status.success() {
        eprintln!("✗ {what} failed after {}, {status}; end of {}:\n{}", secs(started), log.display(), tail(&log));
        bail!("{what}: {status}");
    }
    eprintln!("✓ {what} ({})", secs(started));
    Ok(())
}

/// Wait until `ready` says so, showing the last line of `log` meanwhile.
pub(crate) fn wait(what: &str, limit: Duration, log: &Path, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    announce(what);
    let mut progress = Progress::new(what);
    loop {
        match ready() {
            Ok(true) => break,
            Ok(false) if started.elapsed() < limit => {}
            Ok(false) => {
                progress.clear();
                bail!("{what}: not ready within {} s; end of {}:\n{}", limit.as_secs(), log.display(), tail(log));
            }
            Err(error) => {
                progress.clear();
                return Err(error.context(format!("{what}; end of {}:\n{}", log.display(), tail(log))));
            }
        }
        progress.tick(started, || last_line(log));
        sleep(Duration::from_millis(200));
    }
    progress.clear();
    eprintln!("✓ {what} ({})", secs(started));
    Ok(())
}

/// Path of a step's log; its directory exists.
pub(crate) fn log_file(what: &str) -> Result<PathBuf> {
    let dir = place::artifacts().join("logs");
    fs::create_dir_all(&dir)?;
    let name: String = what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Ok(dir.join(format!("{name}.log")))
}

fn announce(what: &str) {
    if !std::io::stderr().is_terminal() {
        eprintln!("▸ {what}");
    }
}

fn secs(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

struct Progress<'a> {
    what: &'a str,
    terminal: bool,
    reported: Instant,
}

impl<'a> Progress<'a> {
    fn new(what: &'a str) -> Self {
        Self { what, terminal: std::io::stderr().is_terminal(), reported: Instant::now() }
    }

    fn tick(&mut self, started: Instant, line: impl FnOnce() -> String) {
        if self.terminal {
            let line: String = line().chars().take(80).collect();
            eprint!("\r\x1b[K▸ {} {} s  \x1b[2m{line}\x1b[0m", self.what, started.elapsed().as_secs());
            let _ = std::io::stderr().flush();
        } else if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            let line: String = line().chars().take(100).collect();
            eprintln!("  … {} {} s: {line}", self.what, started.elapsed().as_secs());
        }
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

/// The last non-empty line of a file.
fn last_line(path: &Path) -> String {
    let text = tail(path);
    text.rsplit(['\n', '\r']).find(|line| !line.trim().is_empty()).unwrap_or("").trim().to_owned()
}

/// The end of a file.
pub(crate) fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let from = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(cannot read {}: {error})", path.display()))
}
