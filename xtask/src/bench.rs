//! Benchmarks: each prints ratios within one run, for the machine's speed drifts.

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::{build, place, venv};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What the agent costs real engines: CPU per token by process, and tokens per second, at each level.
    Overhead {
        /// Alternated pairs of rounds, without and with.
        #[arg(long, default_value_t = 10)]
        pairs: u32,
        /// Engines by their recipe's name; one of each line by default.
        #[arg(long, num_args = 1..)]
        engine: Vec<String>,
        /// Levels of the agent, and `native` for the engine's own tracing; all of them by default.
        #[arg(long, num_args = 1..)]
        variant: Vec<String>,
    },
    /// What one record costs: each hook in Python, and the writing of a record in Rust.
    Probe,
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Overhead { pairs, engine, variant } => overhead(*pairs, engine, variant),
        Bench::Probe => probe(),
    }
}

/// An engine alone and under the agent, loaded in turn.
fn overhead(pairs: u32, engines: &[String], variants: &[String]) -> Result<()> {
    build::ui()?;
    let agent = build::agent()?;
    let dev = venv::development()?;
    let mut script = Command::new(dev.bin("python"));
    script.arg(place::root().join("bench/overhead.py")).arg("--agent").arg(agent.dir());
    script.args(["--pairs", &pairs.to_string()]).arg("--report").arg(place::artifacts().join("overhead.json"));
    for (flag, values) in [("--engine", engines), ("--variant", variants)] {
        if !values.is_empty() {
            script.arg(flag).args(values);
        }
    }
    print(&mut script)
}

/// The hooks on stand-ins of the engine's classes, then the ring alone.
fn probe() -> Result<()> {
    build::ui()?;
    let agent = build::agent()?;
    let dev = venv::development()?;
    let script = place::root().join("bench/probe.py");
    print(Command::new(dev.bin("python")).arg(script).arg("--agent").arg(agent.dir()))?;
    let mut ring = Command::new("cargo");
    print(ring.current_dir(place::root()).args([
        "bench",
        "--profile",
        "dev",
        "-p",
        "tachograph-ring",
        "--bench",
        "write",
    ]))
}

/// Run a measurement; its output is the result.
fn print(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !status.success() {
        bail!("the benchmark failed: {status}");
    }
    Ok(())
}
