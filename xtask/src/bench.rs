//! Benchmarks: each prints ratios within one run, for the machine's speed drifts.

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::service;
use crate::{build, engine, place, up, venv};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What the agent costs a real vLLM: CPU per token by process, and tokens per second.
    Overhead {
        /// Alternated pairs of rounds, with and without the agent.
        #[arg(long, default_value_t = 12)]
        pairs: u32,
        /// Tracing level of the agent.
        #[arg(long, default_value_t = 1)]
        level: u8,
    },
    /// What one record costs: each hook in Python, and the writing of a record in Rust.
    Probe,
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match *bench {
        Bench::Overhead { pairs, level } => overhead(pairs, level),
        Bench::Probe => probe(),
    }
}

/// Two servers of the same engine, one under the agent, loaded in turn.
fn overhead(pairs: u32, level: u8) -> Result<()> {
    service::stop_on_ctrl_c()?;
    build::ui()?;
    let agent = build::agent()?;
    let engine = engine::vllm()?;
    let ports = up::Ports::choose()?;
    let data = tempdir()?;
    let _server = up::server(&agent, &ports, &data)?;

    let plain_port = up::free_port(0)?;
    let mut plain = engine.command(None, plain_port)?;
    let plain = up::start_engine("vLLM without the agent", &mut plain, plain_port)?;

    let agent_port = up::free_port(0)?;
    let mut observed = engine.command(Some(&agent), agent_port)?;
    observed
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", ports.grpc))
        .env("OTEL_INSTRUMENTATION_VLLM_TRACING_LEVEL", level.to_string());
    let observed = up::start_engine("vLLM under the agent", &mut observed, agent_port)?;

    let status = Command::new("python3")
        .arg(place::root().join("bench/overhead.py"))
        .args(["--plain", &format!("{plain_port}:{}", plain.pid())])
        .args(["--observed", &format!("{agent_port}:{}", observed.pid())])
        .args(["--pairs", &pairs.to_string(), "--level", &level.to_string()])
        .arg("--report")
        .arg(place::artifacts().join(format!("overhead-level-{level}.json")))
        .status()
        .context("cannot run bench/overhead.py")?;
    if !status.success() {
        bail!("the benchmark failed: {status}");
    }
    Ok(())
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

fn tempdir() -> Result<std::path::PathBuf> {
    let dir = place::scratch().join("bench-data");
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(dir)
}
