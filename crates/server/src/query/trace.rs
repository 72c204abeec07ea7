//! The spans of one trace, with everything that was sent about them.

use std::collections::{HashMap, HashSet};

use datafusion::arrow::array::{
    Array, BinaryArray, BooleanArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::DataType::{self, Binary, Boolean, FixedSizeBinary, Int64, UInt8, UInt32, UInt64};
use datafusion::arrow::error::ArrowError;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::Message;
use tachograph_store::TraceRows;
use tachograph_store::table::{SPAN_ID_BYTES, TRACE_ID_BYTES};

use super::column::{Attributes, column, columns, decode, get};

/// One span as it was sent, its content included.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceSpan {
    /// Index of its row among the trace's spans.
    pub(super) row: usize,
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
    pub(crate) parent_span_id: Option<Vec<u8>>,
    /// Unix nanoseconds.
    pub(crate) start_ns: i64,
    pub(crate) duration_ns: i64,
    pub(crate) name: String,
    /// OTLP span kind.
    pub(crate) kind: u8,
    /// OTLP status code.
    pub(crate) status: u8,
    pub(crate) status_message: String,
    pub(crate) error_type: Option<String>,
    pub(crate) scope: String,
    pub(crate) choice_index: Option<u32>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) is_request: bool,
    /// `tachograph.token.offsets`.
    pub(crate) token_offsets: Option<Vec<u8>>,
    /// Without content and token offsets.
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) resource: Resource,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
    pub(crate) dropped_events: u32,
    pub(crate) trace_state: String,
    pub(crate) content: Content,
}

/// Message content of a span, JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) input: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) system: Option<String>,
    pub(crate) tools: Option<String>,
}

const TEXT: DataType = DataType::Utf8;

columns! {
    SpanColumns {
        trace_id: FixedSizeBinaryArray = FixedSizeBinary(TRACE_ID_BYTES),
        span_id: FixedSizeBinaryArray = FixedSizeBinary(SPAN_ID_BYTES),
        parent_span_id: FixedSizeBinaryArray = FixedSizeBinary(SPAN_ID_BYTES),
        start: Int64Array = Int64,
        duration_ns: Int64Array = Int64,
        name: StringArray = TEXT,
        kind: UInt8Array = UInt8,
        status: UInt8Array = UInt8,
        status_message: StringArray = TEXT,
        error_type: StringArray = TEXT,
        scope: StringArray = TEXT,
        choice_index: UInt32Array = UInt32,
        output_tokens: UInt64Array = UInt64,
        is_request: BooleanArray = Boolean,
        token_offsets: BinaryArray = Binary,
        attributes: BinaryArray = Binary,
        resource: BinaryArray = Binary,
        events: BinaryArray = Binary,
        links: BinaryArray = Binary,
        dropped_events: UInt32Array = UInt32,
        trace_state: StringArray = TEXT,
    }
}

columns! {
    ContentColumns {
        span_id: FixedSizeBinaryArray = FixedSizeBinary(SPAN_ID_BYTES),
        input: StringArray = TEXT,
        output: StringArray = TEXT,
        system: StringArray = TEXT,
        tools: StringArray = TEXT,
    }
}

/// The spans of a trace, parents before children and each level by start. A span that was stored twice, because its
/// sender did not hear the first answer, is there once; one whose parent is missing stands as a root.
pub(crate) fn spans(rows: &TraceRows) -> Result<Vec<TraceSpan>, ArrowError> {
    let columns = SpanColumns::new(&rows.spans)?;
    let mut spans: Vec<TraceSpan> = (0..rows.spans.num_rows()).map(|row| columns.span(row)).collect();
    let mut seen = HashSet::new();
    spans.retain(|span| seen.insert(span.span_id.clone()));
    attach_content(&mut spans, &rows.content)?;
    Ok(in_tree_order(spans))
}

impl SpanColumns {
    fn span(&self, row: usize) -> TraceSpan {
        let text = |array: &StringArray| get(array, row).unwrap_or_default().to_owned();
        let bytes = |array: &BinaryArray| get(array, row).map(<[u8]>::to_vec);
        let id = |array: &FixedSizeBinaryArray| get(array, row).map(<[u8]>::to_vec);
        TraceSpan {
            row,
            trace_id: id(&self.trace_id).unwrap_or_default(),
            span_id: id(&self.span_id).unwrap_or_default(),
            parent_span_id: id(&self.parent_span_id),
            start_ns: get(&self.start, row).unwrap_or_default(),
            duration_ns: get(&self.duration_ns, row).unwrap_or_default(),
            name: text(&self.name),
            kind: get(&self.kind, row).unwrap_or_default(),
            status: get(&self.status, row).unwrap_or_default(),
            status_message: text(&self.status_message),
            error_type: get(&self.error_type, row).map(str::to_owned),
            scope: text(&self.scope),
            choice_index: get(&self.choice_index, row),
            output_tokens: get(&self.output_tokens, row),
            is_request: get(&self.is_request, row).unwrap_or_default(),
            token_offsets: bytes(&self.token_offsets),
            attributes: decode::<Attributes>(&self.attributes, row).items,
            resource: decode(&self.resource, row),
            events: decode::<Events>(&self.events, row).items,
            links: decode::<Links>(&self.links, row).items,
            dropped_events: get(&self.dropped_events, row).unwrap_or_default(),
            trace_state: text(&self.trace_state),
            content: Content::default(),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Events {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Event>,
}

#[derive(Clone, PartialEq, Message)]
struct Links {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Link>,
}

fn attach_content(spans: &mut [TraceSpan], content: &RecordBatch) -> Result<(), ArrowError> {
    let columns = ContentColumns::new(content)?;
    let index: HashMap<Vec<u8>, usize> = spans.iter().enumerate().map(|(i, s)| (s.span_id.clone(), i)).collect();
    for row in 0..columns.span_id.len() {
        let id = get(&columns.span_id, row).unwrap_or_default();
        if let Some(span) = index.get(id).and_then(|i| spans.get_mut(*i)) {
            let text = |array: &StringArray| get(array, row).map(str::to_owned);
            span.content = Content {
                input: text(&columns.input),
                output: text(&columns.output),
                system: text(&columns.system),
                tools: text(&columns.tools),
            };
        }
    }
    Ok(())
}

fn in_tree_order(mut spans: Vec<TraceSpan>) -> Vec<TraceSpan> {
    spans.sort_by(|a, b| (a.start_ns, &b.duration_ns, &a.span_id).cmp(&(b.start_ns, &a.duration_ns, &b.span_id)));
    let index: HashMap<&[u8], usize> = spans.iter().enumerate().map(|(i, s)| (s.span_id.as_slice(), i)).collect();
    let parent = |span: &TraceSpan| span.parent_span_id.as_deref().and_then(|id| index.get(id)).copied();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut stack = Vec::new();
    for (i, span) in spans.iter().enumerate().rev() {
        match parent(span) {
            Some(p) => children.entry(p).or_default().push(i),
            None => stack.push(i),
        }
    }
    let mut order = Vec::with_capacity(spans.len());
    let mut placed = vec![false; spans.len()];
    // Spans that are each other's ancestors hang on no root: after the roots, each of them starts a tree.
    let mut rest = 0..spans.len();
    while let Some(i) = stack.pop().or_else(|| rest.next()) {
        if let Some(done) = placed.get_mut(i).filter(|done| !**done) {
            *done = true;
            order.push(i);
            stack.extend(children.get(&i).into_iter().flatten());
        }
    }
    let mut spans: Vec<Option<TraceSpan>> = spans.into_iter().map(Some).collect();
    order.into_iter().filter_map(|i| spans.get_mut(i).and_then(Option::take)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test panics

    use proptest::prelude::*;

    use super::*;

    fn span(id: u8, parent: Option<u8>, start_ns: i64) -> TraceSpan {
        TraceSpan { span_id: vec![id], parent_span_id: parent.map(|p| vec![p]), start_ns, ..TraceSpan::default() }
    }

    fn ids(spans: Vec<TraceSpan>) -> Vec<u8> {
        in_tree_order(spans).iter().map(|s| s.span_id[0]).collect()
    }

    #[test]
    fn parents_come_before_children_and_siblings_by_start() {
        let spans = vec![span(3, Some(1), 30), span(4, Some(2), 25), span(2, Some(1), 20), span(1, None, 10)];
        assert_eq!(ids(spans), [1, 2, 4, 3]);
    }

    #[test]
    fn a_span_whose_parent_is_missing_is_a_root_and_a_circle_is_not_lost() {
        let spans = vec![span(5, Some(9), 50), span(1, Some(2), 10), span(2, Some(1), 20)];
        assert_eq!(ids(spans), [5, 1, 2]);
    }

    proptest! {
        #[test]
        fn any_set_of_spans_is_ordered_without_loss(parents in prop::collection::vec((any::<u8>(), 0_i64..9), 0..40)) {
            let spans: Vec<_> = parents.iter().enumerate()
                .map(|(i, (p, start))| span(u8::try_from(i).unwrap(), (*p < 60).then_some(*p), *start)).collect();
            let mut seen = ids(spans);
            prop_assert_eq!(seen.len(), parents.len());
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), parents.len());
        }
    }
}
