//! What is built: the web UI, the wheel, generated files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::venv::Venv;
use crate::{place, step};

/// Build the web UI into `crates/server/ui`, as far as it is out of date.
pub(crate) fn ui() -> Result<()> {
    let web = place::root().join("web");
    npm_install(&web)?;
    let index = place::root().join("crates/server/ui/index.html");
    let sources = ["src", "index.html", "vite.config.ts", "package-lock.json"].map(|name| web.join(name));
    let newest = sources.iter().filter_map(|path| newest(path)).max();
    if index.metadata().and_then(|m| m.modified()).is_ok_and(|built| newest.is_some_and(|source| built > source)) {
        return Ok(());
    }
    step::run("build the web UI", npm(&web).args(["run", "build"]))?;
    // The server's build watches the folder; its own time stamp tells cargo that files in it changed.
    fs::metadata(&index).with_context(|| format!("the UI's build left no {}", index.display()))?;
    Ok(())
}

/// `npm` in the web folder.
pub(crate) fn npm(web: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(web).env("npm_config_update_notifier", "false");
    npm
}

/// `npm ci`, only when the lock changed since the last time.
fn npm_install(web: &Path) -> Result<()> {
    let lock = fs::read(web.join("package-lock.json")).context("web/package-lock.json is missing")?;
    let stamp = web.join("node_modules/.tachograph-lock");
    if fs::read(&stamp).is_ok_and(|have| have == lock) {
        return Ok(());
    }
    step::run("install the web UI's packages", npm(web).args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(stamp, lock)?;
    Ok(())
}

fn newest(path: &Path) -> Option<SystemTime> {
    let meta = path.metadata().ok()?;
    if meta.is_file() {
        return meta.modified().ok();
    }
    fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest(&entry.path())).max()
}

/// Build the wheel (hooks, probe, the `tachograph` binary) and install it into an environment of its own.
///
/// The engine's environment stays as it is: the launcher reaches it by PYTHONPATH.
pub(crate) fn agent() -> Result<Venv> {
    let wheel = wheel()?;
    let venv = Venv::at(place::scratch().join("agent"))?;
    let built = wheel.metadata()?.modified()?;
    let installed = venv.bin("tachograph-instrument").metadata().and_then(|m| m.modified());
    if installed.is_ok_and(|installed| installed > built) {
        return Ok(venv);
    }
    step::run("install the wheel", venv.pip().args(["install", "--force-reinstall", "--no-deps"]).arg(&wheel))?;
    Ok(venv)
}

/// The wheel, built as a user builds it.
fn wheel() -> Result<PathBuf> {
    let dir = place::scratch().join("wheel");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    let builder = Venv::at(place::scratch().join("build"))?;
    step::run(
        "build the wheel: probe, hooks and the tachograph binary",
        builder
            .pip()
            .args(["wheel", "--no-deps", "--wheel-dir"])
            .arg(&dir)
            .arg(place::root().join("python"))
            .env("CARGO_TARGET_DIR", place::target()),
    )?;
    let mut wheels = fs::read_dir(&dir)?.flatten().map(|entry| entry.path());
    match (wheels.next(), wheels.next()) {
        (Some(wheel), None) => Ok(wheel),
        _ => bail!("expected one wheel in {}", dir.display()),
    }
}

/// Regenerate what is generated, or fail where it is stale. Each owner's own test writes or compares.
pub(crate) fn generate(check: bool) -> Result<()> {
    let mut cargo = Command::new("cargo");
    // These three packages together have the workspace's features: alone, the server compiles DataFusion anew.
    let packages = ["-p", "tachograph-server", "-p", "tachograph-cli", "-p", "tachograph-probe"];
    cargo.current_dir(place::root()).arg("test").args(packages).args(["--test", "server", "contract"]);
    if !check {
        cargo.env("UPDATE", "1");
    }
    step::run(if check { "compare generated files" } else { "write generated files" }, &mut cargo)
}
