//! The types of the web UI are those of the wire.

use tachograph_server::api::wire;
use ts_rs::{Config, TS};

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
        Status,
        ErrorBody,
        ApiError,
    );
    text
}

fn docs<T: TS>() -> String {
    T::docs().map(|docs| format!("{}\n", docs.trim())).unwrap_or_default()
}

#[test]
fn the_types_of_the_web_ui_are_those_of_the_wire() {
    let text = declarations();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(kept == text, "web/src/api/types.ts is not what the wire says; renew it with UPDATE=1");
}
