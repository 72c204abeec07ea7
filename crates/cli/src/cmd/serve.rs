//! `tachograph serve`: the server.

use std::env;
use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tachograph_server::{Addresses, Config};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::log::{self, Format};

/// Receive OTLP, keep it and serve it: web UI and API on 4319.
///
/// It listens on loopback only: everybody who reaches it can read the prompts.
#[derive(clap::Args, Debug)]
pub(crate) struct Serve {
    /// Where OTLP over gRPC is received; port 0 takes a free one.
    #[arg(long, env = "TACHOGRAPH_GRPC_ADDR", value_name = "IP:PORT", default_value = "127.0.0.1:4317")]
    grpc_addr: SocketAddr,
    /// Where OTLP over HTTP is received; port 0 takes a free one.
    #[arg(long, env = "TACHOGRAPH_HTTP_ADDR", value_name = "IP:PORT", default_value = "127.0.0.1:4318")]
    http_addr: SocketAddr,
    /// Where the web UI and the API are served; port 0 takes a free one.
    #[arg(long, env = "TACHOGRAPH_ADDR", value_name = "IP:PORT", default_value = "127.0.0.1:4319")]
    addr: SocketAddr,
    /// Directory of the data, made where it is missing [default: $XDG_DATA_HOME/tachograph or
    /// ~/.local/share/tachograph].
    #[arg(long, env = "TACHOGRAPH_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Form of the log lines on standard error.
    #[arg(long, env = "TACHOGRAPH_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    log_format: Format,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        log::as_server(self.log_format);
        let mut config = Config::new(data_dir(self.data_dir, |name| env::var_os(name).map(PathBuf::from))?);
        config.grpc_addr = self.grpc_addr;
        config.otlp_http_addr = self.http_addr;
        config.api_addr = self.addr;
        Runtime::new().context("cannot start the runtime")?.block_on(serve(config))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn serve(config: Config) -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let data = config.data_dir.clone();
    let server = tachograph_server::serve(config, shutdown).await?;
    let Addresses { grpc, otlp_http, api } = server.addresses();
    // Whoever started the server may have closed its standard output; the server is none the worse for it.
    let _ = writeln!(
        stdout(),
        "tachograph {} listens: UI and API http://{api}, OTLP gRPC {grpc}, OTLP HTTP {otlp_http}, data in {}",
        env!("CARGO_PKG_VERSION"),
        data.display()
    );
    Ok(server.finished().await?)
}

/// Where the data lies: as told, or where the XDG base directory specification puts a user's data.
fn data_dir(told: Option<PathBuf>, variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    told.or_else(|| absolute("XDG_DATA_HOME").map(|dir| dir.join("tachograph")))
        .or_else(|| absolute("HOME").map(|dir| dir.join(".local/share/tachograph")))
        .context("no directory for the data: HOME is not set; choose one with --data-dir")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn chosen(told: Option<&str>, variables: &[(&str, &str)]) -> Option<PathBuf> {
        let read = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value));
        data_dir(told.map(PathBuf::from), read).ok()
    }

    #[test]
    fn data_lies_where_told_then_where_xdg_says_then_in_the_home() {
        let variables = [("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(chosen(Some("d"), &variables).unwrap(), PathBuf::from("d"));
        assert_eq!(chosen(None, &variables).unwrap(), PathBuf::from("/x/tachograph"));
        assert_eq!(chosen(None, &variables[1..]).unwrap(), PathBuf::from("/h/.local/share/tachograph"));
    }

    #[test]
    fn a_relative_xdg_directory_is_ignored_as_its_specification_says() {
        let variables = [("XDG_DATA_HOME", "x"), ("HOME", "/h")];
        assert_eq!(chosen(None, &variables).unwrap(), PathBuf::from("/h/.local/share/tachograph"));
    }

    #[test]
    fn without_a_home_the_flag_is_asked_for() {
        assert_eq!(chosen(None, &[]), None);
    }
}
