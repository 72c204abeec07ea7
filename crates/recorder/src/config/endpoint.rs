//! Where a signal goes (`OTEL_EXPORTER_OTLP_*`), the variable of the signal before the general one.

use std::path::PathBuf;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::vars::Vars;
use crate::error::Error;

/// Longest time of one attempt, as the specification has it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `grpc`.
    Grpc,
    /// `http/protobuf`.
    Http,
}

impl Protocol {
    /// As the specification spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

/// Certificates, PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// Authority to trust instead of the system's.
    pub ca: Option<Vec<u8>>,
    /// Certificate and key of this client.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the key.
        write!(f, "Tls {{ ca: {}, identity: {} }}", self.ca.is_some(), self.identity.is_some())
    }
}

/// Where a signal goes, and how.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Protocol.
    pub protocol: Protocol,
    /// Whole URL; for HTTP with the signal's path.
    pub url: String,
    /// Headers, all marked as sensitive.
    pub headers: HeaderMap,
    /// Whether bodies are compressed.
    pub gzip: bool,
    /// Longest time of one attempt.
    pub timeout: Duration,
    /// Certificates.
    pub tls: Tls,
}

impl Endpoint {
    /// The endpoint of a signal (`TRACES`, `METRICS`).
    ///
    /// Without `_PROTOCOL` it is gRPC, or HTTP where the URL has the registered port of HTTP, 4318.
    pub(super) fn from_vars(vars: &Vars<'_>, signal: &str) -> Result<Self, Error> {
        let of_signal = |what: &str| format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
        let general = |what: &str| format!("OTEL_EXPORTER_OTLP_{what}");
        let either =
            |what: &str| [of_signal(what), general(what)].into_iter().find_map(|name| Some((vars.text(&name)?, name)));
        let configured = either("ENDPOINT");
        let protocol = protocol(either("PROTOCOL").as_ref(), configured.as_ref().map(|(url, _)| url.as_str()));
        let default = match protocol {
            Protocol::Grpc => "http://127.0.0.1:4317",
            Protocol::Http => "http://127.0.0.1:4318",
        };
        let (base, variable) = configured.unwrap_or_else(|| (default.to_owned(), general("ENDPOINT")));
        let base = if base.contains("://") { base } else { format!("http://{base}") };
        let url = match protocol {
            Protocol::Http if variable == general("ENDPOINT") => {
                format!("{}/v1/{}", base.trim_end_matches('/'), signal.to_ascii_lowercase())
            }
            _ => base,
        };
        check(&url, &variable)?;
        let gzip = match either("COMPRESSION").as_ref().map(|(v, _)| v.as_str()) {
            None | Some("none") => false,
            Some("gzip") => true,
            Some(other) => {
                tracing::warn!("the OTLP compression is not known, none is used: {other}");
                false
            }
        };
        let names = [general("HEADERS"), of_signal("HEADERS")];
        let timeout = vars.millis(&general("TIMEOUT"), DEFAULT_TIMEOUT);
        let timeout = vars.millis(&of_signal("TIMEOUT"), timeout);
        Ok(Self { protocol, url, headers: headers(vars, &names)?, gzip, timeout, tls: tls(&either)? })
    }
}

impl Endpoint {
    /// The URL as it may be shown: without user name, password and query, which may hold keys.
    #[must_use]
    pub fn shown(&self) -> String {
        let parsed = self.url.parse::<http::Uri>().ok();
        let shown = parsed.and_then(|uri| {
            let host = uri.authority()?.as_str().rsplit('@').next()?.to_owned();
            Some(format!("{}://{host}{}", uri.scheme_str()?, uri.path().trim_end_matches('/')))
        });
        shown.unwrap_or_default()
    }
}

fn protocol(configured: Option<&(String, String)>, url: Option<&str>) -> Protocol {
    match configured.map(|(v, _)| v.as_str()) {
        Some("grpc") => Protocol::Grpc,
        Some("http/protobuf") => Protocol::Http,
        Some(other) => {
            tracing::warn!("the OTLP protocol is not supported, http/protobuf is used: {other}");
            Protocol::Http
        }
        None => {
            let port = url.and_then(|u| u.parse::<http::Uri>().ok()).and_then(|uri| uri.port_u16());
            if port == Some(4318) { Protocol::Http } else { Protocol::Grpc }
        }
    }
}

fn check(url: &str, variable: &str) -> Result<(), Error> {
    let wrong = |reason: String| Error::Setting {
        variable: variable.to_owned(),
        reason,
        next: "give a URL as http://127.0.0.1:4317",
    };
    let uri: http::Uri = url.parse().map_err(|e| wrong(format!("{e}: {url}")))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(_)) => Ok(()),
        _ => Err(wrong(format!("not an http or https URL: {url}"))),
    }
}

/// Headers of all variables; the key becomes a bearer token unless an authorization was given.
fn headers(vars: &Vars<'_>, names: &[String]) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for name in names {
        for (key, value) in vars.list(name) {
            let wrong = || Error::Setting {
                variable: name.clone(),
                reason: format!("the header cannot be sent: {key}"),
                next: "write it as key=value, percent-encoded, separated by commas",
            };
            let key = HeaderName::try_from(key.as_str()).map_err(|_| wrong())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
    }
    let key = ["TACHOGRAPH_KEY", "ARMS_LICENSE_KEY"].iter().find_map(|name| Some((vars.text(name)?, *name)));
    if let Some((key, name)) = key
        && !headers.contains_key(AUTHORIZATION)
    {
        let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| Error::Setting {
            variable: name.to_owned(),
            reason: "it has characters that no header can carry".to_owned(),
            next: "copy the key again",
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn tls(either: &dyn Fn(&str) -> Option<(String, String)>) -> Result<Tls, Error> {
    let read = |what: &str| match either(what) {
        None => Ok(None),
        Some((path, variable)) => {
            let path = PathBuf::from(path);
            std::fs::read(&path).map(Some).map_err(|source| Error::File { variable, path, source })
        }
    };
    let (ca, certificate, key) = (read("CERTIFICATE")?, read("CLIENT_CERTIFICATE")?, read("CLIENT_KEY")?);
    Ok(Tls { ca, identity: certificate.zip(key) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed expectation is a failed test

    use super::*;

    fn traces(vars: &[(&str, &str)]) -> Result<Endpoint, Error> {
        let get = |name: &str| vars.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
        Endpoint::from_vars(&Vars(&get), "TRACES")
    }

    #[test]
    fn over_http_the_general_endpoint_gets_the_path_of_the_signal_and_its_own_one_does_not() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/base/");
        assert_eq!(traces(&[base]).unwrap().url, "http://c:4318/base/v1/traces");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:4318/x");
        assert_eq!(traces(&[base, own]).unwrap().url, "http://t:4318/x");
    }

    #[test]
    fn the_variable_of_the_signal_comes_before_the_general_one() {
        let e = traces(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "7"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ]);
        let e = e.unwrap();
        assert_eq!((e.protocol, e.timeout, e.gzip), (Protocol::Grpc, Duration::from_millis(7), true));
    }

    #[test]
    fn headers_are_decoded_and_the_key_is_a_bearer_token_unless_one_was_given() {
        let e = traces(&[("OTEL_EXPORTER_OTLP_HEADERS", "X-A=b%20c"), ("TACHOGRAPH_KEY", "k")]).unwrap();
        assert_eq!(
            (&e.headers["x-a"], &e.headers["authorization"]),
            (&"b c".parse().unwrap(), &"Bearer k".parse().unwrap())
        );
        let e = traces(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=mine"), ("TACHOGRAPH_KEY", "k")]).unwrap();
        assert_eq!(e.headers["authorization"], "mine");
    }

    #[test]
    fn an_endpoint_is_shown_without_what_may_be_a_key() {
        let shown = |url: &str| traces(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)]).unwrap().shown();
        assert_eq!(shown("https://me:s3cret@c:4318/v1/traces?key=s3cret"), "https://c:4318/v1/traces");
        assert_eq!(shown("http://127.0.0.1:4317"), "http://127.0.0.1:4317");
    }

    #[test]
    fn an_endpoint_or_certificate_that_cannot_be_used_is_an_error_with_its_variable() {
        for bad in ["ftp://x", "http://", "::"] {
            let message = traces(&[("OTEL_EXPORTER_OTLP_ENDPOINT", bad)]).unwrap_err().to_string();
            assert!(message.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT is not valid"), "{message}");
        }
        let message = traces(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere")]).unwrap_err().to_string();
        assert!(message.starts_with("OTEL_EXPORTER_OTLP_CERTIFICATE names a file"), "{message}");
    }
}
