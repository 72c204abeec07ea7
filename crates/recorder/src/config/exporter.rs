//! How metrics leave (`OTEL_METRICS_EXPORTER`).

use super::vars::Vars;

/// Where a Prometheus may scrape, unless told otherwise: this host only. The specification says `localhost`, which is
/// two addresses on some hosts.
const DEFAULT_HOST: &str = "127.0.0.1";
/// Port as the specification has it.
const DEFAULT_PORT: u16 = 9464;

/// Ways by which metrics leave; none is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricExporters {
    /// Push over OTLP.
    pub otlp: bool,
    /// Wait for a Prometheus.
    pub prometheus: Option<Listen>,
}

/// Where to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Host name or address (`OTEL_EXPORTER_PROMETHEUS_HOST`).
    pub host: String,
    /// Port (`OTEL_EXPORTER_PROMETHEUS_PORT`); 0 lets the system choose.
    pub port: u16,
}

impl MetricExporters {
    pub(super) fn from_vars(vars: &Vars<'_>) -> Self {
        const NAME: &str = "OTEL_METRICS_EXPORTER";
        let text = vars.text(NAME).unwrap_or_else(|| "otlp".into());
        let (mut exporters, mut is_known) = (Self::default(), false);
        for name in text.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()) {
            match name.as_str() {
                "otlp" => exporters.otlp = true,
                "prometheus" => exporters.prometheus = Some(Listen::from_vars(vars)),
                "none" => {}
                _ => {
                    tracing::warn!("{NAME} names an exporter that is not known (otlp, prometheus, none are): {name}");
                    continue;
                }
            }
            is_known = true;
        }
        exporters.otlp |= !is_known;
        exporters
    }
}

impl Listen {
    fn from_vars(vars: &Vars<'_>) -> Self {
        Self {
            host: vars.text("OTEL_EXPORTER_PROMETHEUS_HOST").unwrap_or_else(|| DEFAULT_HOST.into()),
            port: vars.number("OTEL_EXPORTER_PROMETHEUS_PORT", DEFAULT_PORT),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed expectation is a failed test

    use super::*;

    fn exporters(vars: &[(&str, &str)]) -> MetricExporters {
        let get = |name: &str| vars.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
        MetricExporters::from_vars(&Vars(&get))
    }

    #[test]
    fn metrics_are_pushed_unless_told_otherwise() {
        for text in ["", "otlp", "nonsense"] {
            let wanted = MetricExporters { otlp: true, prometheus: None };
            assert_eq!(exporters(&[("OTEL_METRICS_EXPORTER", text)]), wanted, "{text}");
        }
        assert_eq!(exporters(&[("OTEL_METRICS_EXPORTER", "none")]), MetricExporters::default());
    }

    #[test]
    fn a_prometheus_is_waited_for_on_this_host_unless_a_host_is_named() {
        let both = exporters(&[("OTEL_METRICS_EXPORTER", "otlp, Prometheus")]);
        assert!(both.otlp);
        assert_eq!(both.prometheus.unwrap(), Listen { host: "127.0.0.1".into(), port: 9464 });
        let only = exporters(&[
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_EXPORTER_PROMETHEUS_HOST", "0.0.0.0"),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "9999"),
        ]);
        assert!(!only.otlp);
        assert_eq!(only.prometheus.unwrap(), Listen { host: "0.0.0.0".into(), port: 9999 });
    }
}
