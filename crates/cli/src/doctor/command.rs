//! A command that is not started yet: the check of its environment, done by its own interpreter.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::Verdict;
use super::export::{self, ExportReport};
use super::interpreter;

/// Longest time for the check: it parses a dozen files.
const PATIENCE: Duration = Duration::from_secs(60);
/// The module that tells the package from another directory.
const MAIN: &str = "__main__.py";

/// What was found of a command.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CommandReport {
    /// The command as it was given.
    pub(crate) command: Vec<String>,
    /// Python that will run it.
    pub(crate) interpreter: Option<PathBuf>,
    /// What `tachograph-bootstrap -a check --json` says there.
    pub(crate) check: Option<Value>,
    /// Where it will export to.
    pub(crate) export: ExportReport,
    /// What will be lost or is wrong, in sentences.
    pub(crate) problems: Vec<String>,
    /// Why that cannot be told.
    pub(crate) unknown: Option<String>,
}

impl CommandReport {
    pub(super) fn verdict(&self) -> Verdict {
        match (&self.unknown, self.problems.is_empty()) {
            (Some(_), _) => Verdict::CannotTell,
            (None, false) => Verdict::SomethingLost,
            (None, true) => Verdict::AllWell,
        }
    }
}

/// Examines what would happen with `words` under `tachograph-instrument`.
pub(super) async fn examine(words: Vec<OsString>, package: Option<PathBuf>) -> CommandReport {
    let mut report = CommandReport {
        command: words.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        export: export::examine(Path::new("."), &|name| env::var(name).ok()).await,
        ..CommandReport::default()
    };
    report.problems = report.export.problems();
    let found = match words.first() {
        Some(program) => interpreter::of(program),
        None => Err("no command given".to_owned()),
    };
    match found {
        Ok(interpreter) => {
            match check(&interpreter, package).await {
                Ok(check) => {
                    report.problems.extend(check_problems(&check));
                    if list(&check, "engines").is_empty() {
                        let place = interpreter.display();
                        report.unknown = Some(format!("no vllm and no sglang in the environment of {place}"));
                    }
                    report.check = Some(check);
                }
                Err(reason) => report.unknown = Some(reason),
            }
            report.interpreter = Some(interpreter);
        }
        Err(reason) => report.unknown = Some(reason),
    }
    report
}

async fn check(interpreter: &Path, package: Option<PathBuf>) -> Result<Value, String> {
    let package = package.or_else(beside).filter(|dir| dir.join(MAIN).is_file()).ok_or_else(|| {
        "the Python package tachograph does not lie beside this program; name it with --package".to_owned()
    })?;
    let ours = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let inherited = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(ours.into_iter().chain(env::split_paths(&inherited))).unwrap_or(inherited);
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(&package).args(["-a", "check", "--json"]).env("PATH", path);
    command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = match timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(|error| format!("cannot run {}: {error}", interpreter.display()))?,
        Err(_) => return Err(format!("the check of the environment took longer than {} s", PATIENCE.as_secs())),
    };
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("it said nothing").to_owned();
        format!("the check of the environment failed in {}: {last}", interpreter.display())
    })
}

/// The package of the wheel that this program came with.
fn beside() -> Option<PathBuf> {
    let exe = env::current_exe().ok()?;
    let lib = exe.parent()?.parent()?.join("lib");
    let pythons = std::fs::read_dir(lib).ok()?.flatten().map(|entry| entry.path());
    let packages = pythons
        .flat_map(|python| ["site-packages", "dist-packages"].map(|folder| python.join(folder).join("tachograph")));
    packages.into_iter().find(|package| package.join(MAIN).is_file())
}

fn check_problems(check: &Value) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    if let Some(error) = check.pointer("/probe/error").and_then(Value::as_str) {
        problems.push(format!("the probe {error}"));
    }
    if check.get("enabled").and_then(Value::as_bool) == Some(false) {
        problems.push("recording is turned off by TACHOGRAPH_ENABLED or OTEL_SDK_DISABLED".to_owned());
    }
    problems.extend(list(check, "complaints").iter().filter_map(Value::as_str).map(str::to_owned));
    let lost = list(check, "engines").iter().flat_map(|engine| list(engine, "lost"));
    problems.extend(lost.filter_map(Value::as_str).map(|lost| format!("will not be observed: {lost}")));
    problems
}

/// The entries of a list of the check; none where there is no such list.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
