//! What `tachograph serve` can be told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::error::Error;

/// Port of OTLP over gRPC, as the OpenTelemetry specification gives it.
pub const GRPC_PORT: u16 = 4317;
/// Port of OTLP over HTTP, as the OpenTelemetry specification gives it.
pub const HTTP_PORT: u16 = 4318;
/// Port of the API and the web UI.
pub const API_PORT: u16 = 4319;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where OTLP over gRPC is received. Port 0 takes a free one.
    pub grpc_addr: SocketAddr,
    /// Where OTLP over HTTP is received. Port 0 takes a free one.
    pub otlp_http_addr: SocketAddr,
    /// Where the API and the web UI are served. Port 0 takes a free one.
    pub api_addr: SocketAddr,
    /// Directory of the embedded store, made where it is missing.
    pub data_dir: PathBuf,
    /// Names beside `localhost` and the loopback addresses that a `Host` header may carry, without port: set
    /// them behind a reverse proxy. Anything else is refused, so that no web page can reach the API by DNS rebinding.
    pub allowed_hosts: Vec<String>,
    /// How the store keeps its data.
    pub store: tachograph_store::EmbeddedConfig,
}

impl Config {
    /// The defaults, with the data in `data_dir`: loopback, the ports 4317, 4318 and 4319.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            grpc_addr: loopback(GRPC_PORT),
            otlp_http_addr: loopback(HTTP_PORT),
            api_addr: loopback(API_PORT),
            data_dir: data_dir.into(),
            allowed_hosts: Vec::new(),
            store: tachograph_store::EmbeddedConfig::default(),
        }
    }

    /// Refuse what would open the server to others: without keys anyone who reaches it could read every prompt.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for door in Door::ALL {
            let addr = door.addr(self);
            if !addr.ip().is_loopback() {
                return Err(Error::NotLoopback { what: door.what(), flag: door.flag(), addr });
            }
        }
        Ok(())
    }
}

/// One of the three listening sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Grpc,
    Http,
    Api,
}

impl Door {
    pub(crate) const ALL: [Self; 3] = [Self::Grpc, Self::Http, Self::Api];

    pub(crate) fn addr(self, config: &Config) -> SocketAddr {
        match self {
            Self::Grpc => config.grpc_addr,
            Self::Http => config.otlp_http_addr,
            Self::Api => config.api_addr,
        }
    }

    /// What a user calls it.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Grpc => "OTLP/gRPC",
            Self::Http => "OTLP/HTTP",
            Self::Api => "API and UI",
        }
    }

    /// The flag of `tachograph serve` that moves it.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Grpc => "--grpc-addr",
            Self::Http => "--http-addr",
            Self::Api => "--addr",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test panics

    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ports_on_loopback() {
        let config = Config::new("x");
        let addrs = Door::ALL.map(|door| door.addr(&config).to_string());
        assert_eq!(addrs, ["127.0.0.1:4317", "127.0.0.1:4318", "127.0.0.1:4319"]);
        config.check().unwrap();
    }

    #[test]
    fn an_address_others_can_reach_is_refused_and_the_flag_named() {
        for addr in ["0.0.0.0:4319", "192.168.1.4:4319", "[::]:4319"] {
            let config = Config { api_addr: addr.parse().unwrap(), ..Config::new("x") };
            let message = config.check().unwrap_err().to_string();
            assert!(message.contains("--addr") && message.contains("keys"), "{message}");
        }
        let config = Config { grpc_addr: "[::1]:0".parse().unwrap(), ..Config::new("x") };
        config.check().unwrap();
    }
}
