//! `cargo xtask check`: all tests and lints, cheap ones first.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::venv::Venv;
use crate::{build, engine, matrix, place, step, tidy, up, venv};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out what needs a real engine and a browser.
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    step::run("rustfmt", cargo().args(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    let dev = venv::development()?;
    python_lints(&dev)?;
    web()?;
    step::run("clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step::run("Rust tests", cargo().args(["test", "--workspace", "--quiet"]))?;
    let agent = build::agent()?;
    step::run(
        "Python tests",
        pytest(&dev, &agent).arg("python/tests").arg("--junit-xml").arg(place::artifacts().join("python.xml")),
    )?;
    if !args.quick {
        end_to_end(&dev, &agent)?;
    }
    eprintln!("✓ check ({:.0} s)", started.elapsed().as_secs_f64());
    Ok(())
}

fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root());
    cargo
}

fn python_lints(dev: &Venv) -> Result<()> {
    let root = place::root();
    let ruff = || {
        let mut ruff = Command::new(dev.bin("ruff"));
        ruff.current_dir(&root);
        ruff
    };
    step::run("ruff", ruff().args(["check", "python", "e2e", "bench"]))?;
    step::run("ruff format", ruff().args(["format", "--check", "python", "e2e", "bench"]))?;
    let mypy = |folder: &str| {
        let mut mypy = Command::new(dev.bin("mypy"));
        mypy.current_dir(root.join(folder)).arg("--strict").arg(".");
        mypy
    };
    step::run("mypy of the agent", &mut mypy("python"))?;
    step::run("mypy of the end-to-end tests", mypy("e2e").arg("../bench"))
}

/// Lints, tests and build of the web UI.
fn web() -> Result<()> {
    let web = place::root().join("web");
    build::ui()?;
    for (what, script) in [("eslint", "lint"), ("types of the web UI", "types"), ("vitest", "test")] {
        step::run(what, build::npm(&web).args(["run", script]))?;
    }
    Ok(())
}

/// pytest, told where everything is.
fn pytest(dev: &Venv, agent: &Venv) -> Command {
    let mut pytest = Command::new(dev.bin("python"));
    pytest
        .current_dir(place::root())
        .args(["-m", "pytest", "-q"])
        .env("TACHOGRAPH_TEST_AGENT", agent.dir())
        .env("TACHOGRAPH_TEST_WHEELS", place::scratch().join("wheel"))
        .env("TACHOGRAPH_TEST_ARTIFACTS", place::artifacts());
    pytest
}

/// The whole path on a real vLLM, then the UI in a real browser over the data that the engine left.
fn end_to_end(dev: &Venv, agent: &Venv) -> Result<()> {
    let root = place::root();
    step::run("install Chromium", Command::new("bash").arg(root.join("e2e/install-browser.sh")))?;
    step::run("install Prometheus", Command::new("bash").arg(root.join("e2e/install-prometheus.sh")))?;
    let engine = engine::vllm()?.launch(0)?;
    let data = place::scratch().join("e2e-data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    step::run(
        "end-to-end on a real vLLM",
        pytest(dev, agent)
            .arg("e2e")
            .arg("--junit-xml")
            .arg(place::artifacts().join("e2e.xml"))
            .env("TACHOGRAPH_TEST_VLLM", engine.program()?)
            .env("TACHOGRAPH_TEST_MODEL", &engine.model)
            .env("TACHOGRAPH_TEST_DATA", &data),
    )?;
    browser(agent, &data)?;
    step::run("one engine of each line against its load", matrix::command(dev, agent).arg("--ci"))
}

/// The screens over the data that the real engine left.
fn browser(agent: &Venv, data: &Path) -> Result<()> {
    let ports = up::Ports::choose()?;
    let _server = up::server(agent, &ports, data)?;
    let mut playwright = build::npm(&place::root().join("web"));
    step::run("the UI in Chromium", playwright.args(["run", "e2e"]).env("TACHOGRAPH_URL", ports.url()))
}
