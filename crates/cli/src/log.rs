//! Log lines on standard error.

use std::fmt;
use std::io::{IsTerminal, stderr};

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, Subscriber as Lines};
use tracing_subscriber::registry::LookupSpan;

/// Overrides what is logged, in `tracing`'s syntax, for example `debug` or `warn,tachograph_store=debug`.
const LEVEL_VARIABLE: &str = "TACHOGRAPH_LOG";

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The server's log, from `info`.
pub(crate) fn as_server(format: Format) {
    let lines = Lines::builder()
        .with_env_filter(filter("info"))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .log_internal_errors(false);
    match format {
        Format::Text => lines.init(),
        Format::Json => lines.json().init(),
    }
}

/// The recorder's log: beside an engine only what its user should know, said as ours.
pub(crate) fn as_recorder(beside_an_engine: bool) {
    let level = if beside_an_engine { "warn" } else { "info" };
    // Internal errors would be written to standard error, whose end must not be the recorder's.
    let lines = Lines::builder().with_env_filter(filter(level)).with_writer(stderr).log_internal_errors(false);
    lines.event_format(Prefixed).init();
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level))
}

/// Lines that stand out in an engine's own log.
struct Prefixed;

impl<S, N> FormatEvent<S, N> for Prefixed
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        write!(line, "tachograph: recorder: {level}: ")?;
        context.format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
}
