//! `tachograph run`: an engine with its recorder.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::supervise::{self, Argv};

/// Run an inference engine with its recorder beside it.
///
/// The engine runs as without it: same terminal, same signals, same exit code. What cannot be observed is said in one
/// line on standard error; the engine is started in any case. TACHOGRAPH_ENABLED=false turns everything off.
#[derive(clap::Args, Debug)]
pub(crate) struct Run {
    /// Directory of the hooks, put in front of PYTHONPATH for the engine and all its processes.
    #[arg(long, value_name = "DIR")]
    inject: Option<PathBuf>,
    /// The engine's command line, for example `vllm serve Qwen/Qwen3-0.6B`.
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Run {
    /// Never returns but for an empty command line.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let argv = Argv::new(self.command).context("no command given: tachograph run -- vllm serve …")?;
        if is_off(|name| env::var(name).ok()) {
            supervise::replace(&argv);
        }
        supervise::supervise(&argv, self.inject.as_deref())
    }
}

/// The kill switches: our own and OpenTelemetry's.
fn is_off(variable: impl Fn(&str) -> Option<String>) -> bool {
    let value = |name| variable(name).unwrap_or_default().trim().to_ascii_lowercase();
    matches!(value("TACHOGRAPH_ENABLED").as_str(), "false" | "0" | "off" | "no") || value("OTEL_SDK_DISABLED") == "true"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(name: &str, value: &str) -> bool {
        is_off(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn false_in_any_spelling_turns_it_off() {
        for value in ["false", "FALSE", "0", "off", "no", " No "] {
            assert!(off("TACHOGRAPH_ENABLED", value), "{value}");
        }
    }

    #[test]
    fn everything_else_leaves_it_on() {
        for value in ["", "true", "1", "yes", "nonsense"] {
            assert!(!off("TACHOGRAPH_ENABLED", value), "{value}");
        }
    }

    #[test]
    fn opentelemetrys_switch_counts_too() {
        assert!(off("OTEL_SDK_DISABLED", "true"));
        assert!(!off("OTEL_SDK_DISABLED", "1"));
    }
}
