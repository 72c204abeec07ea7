//! Every job of this repository, one typed command each: `cargo xtask <job>`.
//!
//! It needs nothing but cargo, python3 and node, and knows none of the product's crates.

mod bench;
mod build;
mod check;
mod engine;
mod matrix;
mod place;
mod service;
mod step;
mod tidy;
mod up;
mod venv;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Every job of this repository", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Build everything, start the server and a real vLLM under the agent, send it a load, print one URL.
    Up(up::Args),
    /// All tests and lints, cheap ones first; CI runs just this.
    Check(check::Args),
    /// Build the web UI into crates/server/ui.
    Ui,
    /// Write generated files; with --check, fail where one is stale.
    Gen {
        /// Only compare.
        #[arg(long)]
        check: bool,
    },
    /// Check the house's own rules: who may depend on whom, sizes, the map.
    Tidy,
    /// Every engine, launch and scenario: each span and each metric of the contract, in one table.
    Matrix(matrix::Args),
    /// Measure; each benchmark prints ratios within one run.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    match run(Cli::parse().job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(job: Job) -> anyhow::Result<()> {
    match job {
        Job::Up(args) => up::run(&args),
        Job::Check(args) => check::run(&args),
        Job::Ui => build::ui(),
        Job::Gen { check } => build::generate(check),
        Job::Tidy => tidy::run(),
        Job::Matrix(args) => matrix::run(&args),
        Job::Bench(bench) => bench::run(&bench),
    }
}
