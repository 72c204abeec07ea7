//! `tachograph control`: switches the recording of running launches off and on.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use tachograph_recorder::switch::Switch;

use crate::supervise::live_launches;

/// Switch the recording of a running engine off or on.
///
/// The engine goes on as it is. When it is switched off, what is open is closed as unobserved; when it is on again, the
/// next requests are whole.
#[derive(clap::Args, Debug)]
pub(crate) struct Control {
    /// What to do.
    #[arg(value_enum)]
    to: Setting,
    /// Runtime directory of the launch; not needed where there is only one.
    #[arg(long, value_name = "DIR", conflicts_with = "all")]
    launch: Option<PathBuf>,
    /// All launches of this user.
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Setting {
    /// Record again.
    On,
    /// Record nothing.
    Off,
}

impl Control {
    /// Writes the control file of the launches that are meant.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let switch = match self.to {
            Setting::On => Switch::On,
            Setting::Off => Switch::Off,
        };
        for dir in self.meant()? {
            switch.write(&dir).with_context(|| format!("cannot write to {}", dir.display()))?;
            writeln!(stdout(), "recording is {} for {}", switch.name(), dir.display())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn meant(&self) -> Result<Vec<PathBuf>> {
        if let Some(dir) = &self.launch {
            return Ok(vec![dir.clone()]);
        }
        let launches = live_launches();
        let names = || launches.iter().map(|dir| format!("\n  {}", dir.display())).collect::<String>();
        match launches.len() {
            0 => bail!("no launch of this user is running; name its runtime directory with --launch"),
            2.. if !self.all => {
                bail!("several launches are running, choose one with --launch or take --all:{}", names())
            }
            _ => Ok(launches),
        }
    }
}
