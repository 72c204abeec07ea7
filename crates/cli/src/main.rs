//! `tachograph`, the flight recorder for LLM inference engines: one binary for the server, the supervisor of an
//! engine and the recorder beside it.
//!
//! It holds the command line and the supervisor. What the server and the recorder do is in their own crates.

mod cmd;
mod doctor;
mod log;
mod supervise;

use std::io::{Write, stderr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The flight recorder for LLM inference engines.
#[derive(Debug, Parser)]
#[command(name = "tachograph", version, max_term_width = 100)]
struct Tachograph {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(cmd::serve::Serve),
    Run(cmd::run::Run),
    Record(cmd::record::Record),
    Control(cmd::control::Control),
    Doctor(cmd::doctor::Doctor),
}

/// The program was asked for something that it cannot do; as clap's own.
pub(crate) const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let done = match Tachograph::parse().verb {
        Verb::Serve(serve) => serve.execute(),
        Verb::Run(run) => run.execute(),
        Verb::Record(record) => record.execute(),
        Verb::Control(control) => control.execute(),
        Verb::Doctor(doctor) => doctor.execute(),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(stderr(), "tachograph: {error:#}");
        ExitCode::from(REFUSED)
    })
}
