//! The types of the web UI are those of the wire.

use tachograph_schema::metric::{self, EngineLine};
use tachograph_server::api::wire;
use ts_rs::{Config, TS};

const METRICS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/src/api/metrics.ts");
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/src/api/types.ts");

/// Declarations of all types of the wire, in its order.
fn declarations() -> String {
    let config = Config::default().with_large_int("number");
    let mut text = "// Generated from crates/server/src/api/wire.rs; do not edit. To renew it:\n\
        // UPDATE=1 cargo test -p tachograph-server --test server contract\n"
        .to_owned();
    macro_rules! declare {
        ($($type:ident),+ $(,)?) => {
            $(text.push_str(&format!("\n{}export {}\n", docs::<wire::$type>(), wire::$type::decl(&config)));)+
        };
    }
    declare!(
        RequestRow,
        RequestStatus,
        RequestPage,
        RequestDetail,
        Json,
        Span,
        Stage,
        SpanEvent,
        ChoiceTokens,
        Messages,
        SeriesSet,
        Series,
        Facets,
        FacetValue,
        Engines,
        EngineRow,
        EngineLine,
        Agents,
        Agent,
        AgentProcess,
        AgentProbe,
        AgentExport,
        AgentDrop,
        AgentFault,
        AgentPrice,
        Status,
        OtlpAddresses,
        ErrorBody,
        ApiError,
    );
    text
}

fn docs<T: TS>() -> String {
    T::docs().map(|docs| format!("{}\n", docs.trim())).unwrap_or_default()
}

/// The documented metrics, for the charts of the Engines screen.
fn documented() -> String {
    let mut text = "// Generated from crates/schema/src/metric.rs; do not edit. To renew it:\n\
        // UPDATE=1 cargo test -p tachograph-server --test server contract\n\
        import type { EngineLine } from './types.ts';\n\n\
        /** A documented metric, in the order of the documentation. */\n\
        export type Metric = {\n  lines: readonly EngineLine[];\n  name: string;\n  kind: 'counter' | 'gauge';\n  \
        /** It goes up and down, whatever the documented type. */\n  level: boolean;\n  \
        unit: string;\n  meaning: string;\n};\n\nexport const METRICS: readonly Metric[] = [\n"
        .to_owned();
    for metric in metric::ALL {
        let lines = metric.engines.iter().map(|line| match line {
            EngineLine::VllmV0 => "'vllm_v0'",
            EngineLine::VllmV1 => "'vllm_v1'",
            EngineLine::Sglang => "'sglang'",
        });
        let kind = match metric.kind {
            metric::Kind::Counter => "counter",
            metric::Kind::Gauge => "gauge",
        };
        text.push_str(&format!(
            "  {{\n    lines: [{}],\n    name: '{}',\n    kind: '{kind}',\n    level: {},\n    unit: '{}',\n    meaning: '{}',\n  }},\n",
            lines.collect::<Vec<_>>().join(", "),
            metric.name,
            metric.is_level || metric.kind == metric::Kind::Gauge,
            metric.unit,
            metric.meaning,
        ));
    }
    text + "];\n"
}

fn check(file: &str, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, text).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(kept == text, "{file} is not what its source says; renew it with UPDATE=1");
}

#[test]
fn the_metrics_of_the_web_ui_are_the_documented_ones() {
    check(METRICS, &documented());
}

#[test]
fn the_types_of_the_web_ui_are_those_of_the_wire() {
    check(FILE, &declarations());
}
