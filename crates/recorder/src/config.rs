//! Settings, from the environment (the table in `docs/` and `spec/spans.md`).
//!
//! As OpenTelemetry wants it, a value that cannot be read is reported and its default is used; only what
//! would send data elsewhere, or unprotected, is an error.

mod endpoint;
mod exporter;
mod vars;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use endpoint::{Endpoint, Protocol, Tls};
pub use exporter::{Listen, MetricExporters};
use vars::Vars;

use crate::body::redaction::Redaction;
use crate::body::text::ContentPolicy;
use crate::error::Error;
use crate::sample::{Root, Sampler};
use crate::span::Level;

/// Longest message part kept unless told otherwise, in characters.
const DEFAULT_CONTENT_MAX_CHARS: usize = 8192;
/// Events on a span unless told otherwise, as the OpenTelemetry specification has it.
const DEFAULT_EVENT_LIMIT: usize = 128;
/// Spans waiting for export unless told otherwise. The specification's 2048 is ten seconds of a busy engine; this
/// bridges a server's restart.
const DEFAULT_QUEUE_SPANS: usize = 16_384;
/// Spans in one export unless told otherwise, as the specification has it.
const DEFAULT_BATCH_SPANS: usize = 512;
/// Longest wait of a span unless told otherwise: the view is live.
const DEFAULT_DELAY: Duration = Duration::from_secs(1);
/// Interval of metrics as the specification has it.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
/// Interval of metrics where no endpoint was configured, so that they go to our own server on this host.
const LOCAL_INTERVAL: Duration = Duration::from_secs(5);

/// Whether sums start anew with every export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Sums since the recorder's start.
    Cumulative,
    /// Sums since the last export. `lowmemory` is this for all instruments that we have.
    Delta,
}

/// Bounds of the export of spans (`OTEL_BSP_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSettings {
    /// Most spans waiting.
    pub queue_spans: usize,
    /// Longest wait before a batch that is not full leaves.
    pub delay: Duration,
    /// Most spans in a batch.
    pub batch_spans: usize,
}

/// All settings of a recorder.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory of the rings of one launch.
    pub dir: PathBuf,
    /// False: nothing is recorded (`OTEL_SDK_DISABLED`, `TACHOGRAPH_ENABLED`).
    pub enabled: bool,
    /// What of message text leaves.
    pub content: ContentPolicy,
    /// Detail of spans.
    pub level: Level,
    /// Most events on a span.
    pub event_limit: usize,
    /// Which traces leave.
    pub sampler: Sampler,
    /// Application name, where it is configured.
    pub service_name: Option<String>,
    /// Further attributes of the resource, in order.
    pub resource: Vec<(String, String)>,
    /// Where spans go.
    pub traces: Endpoint,
    /// Where metrics go.
    pub metrics: Endpoint,
    /// By which ways metrics leave.
    pub metric_exporters: MetricExporters,
    /// Bounds of the export of spans.
    pub batch: BatchSettings,
    /// Interval of metrics.
    pub interval: Duration,
    /// Temporality of metrics.
    pub temporality: Temporality,
}

impl Config {
    /// Settings of a recorder for the rings in `dir`, from this process's environment.
    ///
    /// # Errors
    /// An endpoint, header or certificate that cannot be used: data would go nowhere, or unprotected.
    pub fn from_env(dir: &Path) -> Result<Self, Error> {
        Self::from_vars(dir, &|name| std::env::var(name).ok())
    }

    /// The same from any source of variables.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_vars(dir: &Path, get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let vars = Vars(get);
        let endpoint_set = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"]
            .iter()
            .any(|name| vars.text(name).is_some());
        let default_interval = if endpoint_set { DEFAULT_INTERVAL } else { LOCAL_INTERVAL };
        let batch_spans = vars.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", DEFAULT_BATCH_SPANS).max(1);
        let resource = resource(&vars);
        Ok(Self {
            dir: dir.to_owned(),
            enabled: !vars.flag("OTEL_SDK_DISABLED", false) && vars.flag("TACHOGRAPH_ENABLED", true),
            content: content(&vars),
            level: level(&vars),
            event_limit: vars.number("OTEL_SPAN_EVENT_COUNT_LIMIT", DEFAULT_EVENT_LIMIT),
            sampler: sampler(&vars),
            service_name: ["ARMS_APP_NAME", "OTEL_SERVICE_NAME"].iter().find_map(|name| vars.text(name)),
            resource,
            traces: Endpoint::from_vars(&vars, "TRACES")?,
            metrics: Endpoint::from_vars(&vars, "METRICS")?,
            metric_exporters: MetricExporters::from_vars(&vars),
            batch: BatchSettings {
                queue_spans: vars.number("OTEL_BSP_MAX_QUEUE_SIZE", DEFAULT_QUEUE_SPANS).max(batch_spans),
                delay: vars.millis("OTEL_BSP_SCHEDULE_DELAY", DEFAULT_DELAY),
                batch_spans,
            },
            interval: vars.millis("OTEL_METRIC_EXPORT_INTERVAL", default_interval).max(Duration::from_millis(100)),
            temporality: temporality(&vars),
        })
    }
}

/// Whether text leaves, and without what. A value that is not understood keeps it, and so does a file of patterns that
/// cannot be used: what was asked to be hidden is never sent in the clear.
fn content(vars: &Vars<'_>) -> ContentPolicy {
    const NAME: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
    let asked = vars.text(NAME).map(|v| v.to_ascii_lowercase());
    let mut capture = match asked.as_deref() {
        None | Some("true" | "span_only" | "span_and_event") => true,
        Some("false" | "no_content" | "event_only") => false,
        Some(other) => {
            tracing::warn!("{NAME} is neither true nor false, message content is left out: {other}");
            false
        }
    };
    let mut redaction = None;
    if let Some(path) = vars.text("TACHOGRAPH_REDACT").filter(|_| capture) {
        match Redaction::read(Path::new(&path)) {
            // Settings are read once in the life of a recorder.
            Ok(patterns) => redaction = Some(&*Box::leak(Box::new(patterns))),
            Err(why) => {
                tracing::warn!(
                    "message content is left out, TACHOGRAPH_REDACT names a file that cannot be used: {why}: {path}"
                );
                capture = false;
            }
        }
    }
    let max_chars = vars.number("TACHOGRAPH_CONTENT_MAX_CHARS", DEFAULT_CONTENT_MAX_CHARS);
    ContentPolicy { capture, max_chars, redaction }
}

fn level(vars: &Vars<'_>) -> Level {
    match vars.number("OTEL_INSTRUMENTATION_VLLM_TRACING_LEVEL", 1) {
        0 => Level::Request,
        1 => Level::Stages,
        _ => Level::Tokens,
    }
}

fn sampler(vars: &Vars<'_>) -> Sampler {
    let name = vars.text("OTEL_TRACES_SAMPLER").unwrap_or_else(|| "parentbased_always_on".into());
    let (parent_based, root) = match name.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (false, name.as_str()),
    };
    let root = match root {
        "always_on" => Root::Always,
        "always_off" => Root::Never,
        "traceidratio" => Root::ratio(vars.number("OTEL_TRACES_SAMPLER_ARG", 1.0)),
        _ => {
            tracing::warn!("OTEL_TRACES_SAMPLER is not known, every trace is kept: {name}");
            Root::Always
        }
    };
    Sampler { root, parent_based }
}

fn temporality(vars: &Vars<'_>) -> Temporality {
    const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    match vars.text(NAME).map(|v| v.to_ascii_lowercase()).as_deref() {
        None | Some("cumulative") => Temporality::Cumulative,
        Some("delta" | "lowmemory") => Temporality::Delta,
        Some(other) => {
            tracing::warn!("{NAME} is not known, cumulative is used: {other}");
            Temporality::Cumulative
        }
    }
}

/// What the environment says of the resource; a later entry of the same key wins.
fn resource(vars: &Vars<'_>) -> Vec<(String, String)> {
    const FROM_ENVIRONMENT: &[(&str, &str)] = &[
        ("ARMS_REGION_ID", "cloud.region"),
        ("K8S_POD_NAME", "k8s.pod.name"),
        ("POD_NAME", "k8s.pod.name"),
        ("K8S_POD_UID", "k8s.pod.uid"),
        ("POD_UID", "k8s.pod.uid"),
        ("K8S_NAMESPACE", "k8s.namespace.name"),
        ("POD_NAMESPACE", "k8s.namespace.name"),
        ("K8S_NODE_NAME", "k8s.node.name"),
        ("NODE_NAME", "k8s.node.name"),
    ];
    let found = FROM_ENVIRONMENT.iter().filter_map(|(name, key)| Some(((*key).to_owned(), vars.text(name)?)));
    found.chain(vars.list("OTEL_RESOURCE_ATTRIBUTES")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed expectation is a failed test

    use super::*;

    fn config(vars: &[(&str, &str)]) -> Config {
        let get = |name: &str| vars.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
        Config::from_vars(Path::new("/run/x"), &get).unwrap()
    }

    #[test]
    fn without_any_setting_all_goes_to_our_server_on_this_host() {
        let c = config(&[]);
        assert_eq!((c.traces.url.as_str(), c.traces.protocol), ("http://127.0.0.1:4317", Protocol::Grpc));
        assert_eq!((c.interval, c.level, c.event_limit), (LOCAL_INTERVAL, Level::Stages, 128));
        assert!(c.content.capture && c.content.max_chars == 8192 && c.content.redaction.is_none());
        assert!(c.enabled && c.sampler.keeps(&[0xff; 16], None));
    }

    #[test]
    fn with_an_endpoint_metrics_keep_the_interval_of_the_specification() {
        assert_eq!(config(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317")]).interval, DEFAULT_INTERVAL);
    }

    #[test]
    fn content_is_left_out_by_either_spelling_and_where_redaction_cannot_be_done() {
        const NAME: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
        for off in ["false", "NO_CONTENT", "nonsense"] {
            assert!(!config(&[(NAME, off)]).content.capture, "{off}");
        }
        assert!(config(&[(NAME, "SPAN_ONLY")]).content.capture);
        assert!(!config(&[("TACHOGRAPH_REDACT", "/x")]).content.capture, "a file that is not there");
    }

    #[test]
    fn either_switch_turns_the_recorder_off() {
        assert!(!config(&[("OTEL_SDK_DISABLED", "true")]).enabled);
        assert!(!config(&[("TACHOGRAPH_ENABLED", "false")]).enabled);
    }

    #[test]
    fn a_number_that_is_none_gives_the_default() {
        assert_eq!(config(&[("OTEL_SPAN_EVENT_COUNT_LIMIT", "many")]).event_limit, 128);
    }

    #[test]
    fn the_resource_takes_region_and_attributes() {
        let c = config(&[("ARMS_REGION_ID", "eu"), ("OTEL_RESOURCE_ATTRIBUTES", "a=b%20c,bad,d=e")]);
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        assert_eq!(c.resource, [pair("cloud.region", "eu"), pair("a", "b c"), pair("d", "e")]);
    }

    #[test]
    fn no_key_is_ever_printed() {
        let c = config(&[("ARMS_LICENSE_KEY", "s3cret"), ("OTEL_EXPORTER_OTLP_HEADERS", "x=hush")]);
        let text = format!("{c:?}");
        assert!(!text.contains("s3cret") && !text.contains("hush"), "{text}");
    }
}
