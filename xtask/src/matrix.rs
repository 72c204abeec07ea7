//! `cargo xtask matrix`: every engine, launch and scenario, each span and each metric of the contract checked.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::venv::{self, Venv};
use crate::{build, place};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this engine (a name of `e2e/engine/recipe.py`); may be given again.
    #[arg(long)]
    engine: Vec<String>,
    /// Only this launch (a name of `e2e/matrix/launch.py`); may be given again.
    #[arg(long)]
    launch: Vec<String>,
    /// Only this scenario (a name of `e2e/matrix/scenario.py`); may be given again.
    #[arg(long)]
    scenario: Vec<String>,
    /// One engine of each line, the default launch, the core scenarios.
    #[arg(long)]
    ci: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    build::ui()?;
    let agent = build::agent()?;
    let mut matrix = command(&venv::development()?, &agent);
    for (flag, names) in [("--engine", &args.engine), ("--launch", &args.launch), ("--scenario", &args.scenario)] {
        matrix.args(names.iter().flat_map(|name| [flag, name]));
    }
    if args.ci {
        matrix.arg("--ci");
    }
    let status = matrix.status().context("cannot run e2e/matrix")?;
    if !status.success() {
        bail!("the matrix has cells that are wrong; artifacts/matrix.md has the reasons");
    }
    Ok(())
}

/// The matrix, with the agent that was built.
pub(crate) fn command(dev: &Venv, agent: &Venv) -> Command {
    let mut matrix = Command::new(dev.bin("python"));
    matrix
        .args(["-m", "matrix", "--agent"])
        .arg(agent.dir().join("bin"))
        .arg("--artifacts")
        .arg(place::artifacts())
        .env("PYTHONPATH", place::root().join("e2e"))
        .env("TACHOGRAPH_CACHE_DIR", place::cache());
    matrix
}
