//! The list of requests.

use datafusion::arrow::array::{
    BooleanArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt16Array, UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::DataType::{self, Boolean, FixedSizeBinary, Int64, UInt16, UInt32, UInt64};
use datafusion::arrow::error::ArrowError;
use tachograph_store::table::{SPAN_ID_BYTES, TRACE_ID_BYTES};
use tachograph_store::{QueryLimit, Store, literal};

use super::column::{column, columns, get, whole};
use super::{Figure, Filter, QueryError};
use crate::api::wire::{RequestPage, RequestRow, RequestStatus};
use crate::figures::Figures;

/// A page of requests: which, in what order, from where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    /// Start of the first, Unix nanoseconds.
    pub(crate) from_ns: i64,
    /// Start of the last, excluded.
    pub(crate) to_ns: i64,
    /// Which requests.
    pub(crate) filter: Filter,
    /// Order.
    pub(crate) sort: Sort,
    /// Most rows.
    pub(crate) limit: u64,
    /// Rows to leave out before.
    pub(crate) offset: u64,
}

/// An order of requests. Those that do not know the figure come last either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    /// What to sort by.
    pub(crate) key: SortKey,
    /// Largest first.
    pub(crate) descending: bool,
}

/// What requests can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// Arrival.
    Start,
    /// A figure.
    Figure(Figure),
}

impl Sort {
    fn sql(self) -> String {
        let direction = if self.descending { "DESC" } else { "ASC" };
        // The rest makes the order total, so that pages neither overlap nor leave out.
        match self.key {
            SortKey::Start => format!("start {direction}, trace_id, span_id"),
            SortKey::Figure(f) => format!("{} {direction} NULLS LAST, start DESC, trace_id, span_id", f.column()),
        }
    }
}

const COLUMNS: &str = "trace_id, span_id, start, duration_ns, operation, model, service, instance, engine_index, \
    outcome, error_type, http_status, stream, choices, finish_reasons, input_tokens, cached_tokens, output_tokens, \
    reasoning_tokens, ttft_us, tpot_us, e2e_us, queue_us, prefill_us, decode_us, preemptions, queue_depth, response_id";

/// The rows of a page and how many there are in all.
pub(crate) async fn page(store: &dyn Store, page: &Page) -> Result<RequestPage, QueryError> {
    let condition = format!(
        "start >= {} AND start < {} AND {}",
        literal::time(page.from_ns),
        literal::time(page.to_ns),
        page.filter.on_requests(page.from_ns, page.to_ns)
    );
    let order = page.sort.sql();
    let rows = format!(
        "SELECT {COLUMNS} FROM spans WHERE {condition} ORDER BY {order} LIMIT {} OFFSET {}",
        page.limit, page.offset
    );
    let total = format!("SELECT count(*) AS total FROM spans WHERE {condition}");
    let (rows, total) =
        futures::try_join!(store.sql(&rows, QueryLimit::default()), store.sql(&total, QueryLimit::default()))?;
    let total = match whole(&total)? {
        Some(batch) => get(&column::<UInt64Array>(&batch, "total", &UInt64)?, 0).unwrap_or_default(),
        None => 0,
    };
    let rows = match whole(&rows)? {
        Some(batch) => RequestColumns::new(&batch)?.rows(batch.num_rows()),
        None => Vec::new(),
    };
    let next = page.offset + rows.len() as u64;
    Ok(RequestPage { next_offset: (!rows.is_empty() && next < total).then_some(next), rows, total })
}

const TEXT: DataType = DataType::Utf8;
const TIME: DataType = Int64;

columns! {
    /// The columns that a row of the list is made of.
    RequestColumns {
        trace_id: FixedSizeBinaryArray = FixedSizeBinary(TRACE_ID_BYTES),
        span_id: FixedSizeBinaryArray = FixedSizeBinary(SPAN_ID_BYTES),
        start: Int64Array = TIME,
        duration_ns: Int64Array = Int64,
        operation: StringArray = TEXT,
        model: StringArray = TEXT,
        service: StringArray = TEXT,
        instance: StringArray = TEXT,
        engine_index: UInt32Array = UInt32,
        outcome: StringArray = TEXT,
        error_type: StringArray = TEXT,
        http_status: UInt16Array = UInt16,
        stream: BooleanArray = Boolean,
        choices: UInt32Array = UInt32,
        finish_reasons: StringArray = TEXT,
        input_tokens: UInt64Array = UInt64,
        cached_tokens: UInt64Array = UInt64,
        output_tokens: UInt64Array = UInt64,
        reasoning_tokens: UInt64Array = UInt64,
        ttft_us: Int64Array = Int64,
        tpot_us: Int64Array = Int64,
        e2e_us: Int64Array = Int64,
        queue_us: Int64Array = Int64,
        prefill_us: Int64Array = Int64,
        decode_us: Int64Array = Int64,
        preemptions: UInt32Array = UInt32,
        queue_depth: UInt32Array = UInt32,
        response_id: StringArray = TEXT,
    }
}

impl RequestColumns {
    fn rows(&self, rows: usize) -> Vec<RequestRow> {
        (0..rows).map(|i| self.row(i, &self.figures(i))).collect()
    }

    /// The key figures of a row.
    pub(super) fn figures(&self, i: usize) -> Figures {
        Figures {
            input_tokens: get(&self.input_tokens, i),
            cached_tokens: get(&self.cached_tokens, i),
            output_tokens: get(&self.output_tokens, i),
            reasoning_tokens: get(&self.reasoning_tokens, i),
            ttft_us: get(&self.ttft_us, i),
            tpot_us: get(&self.tpot_us, i),
            e2e_us: get(&self.e2e_us, i),
            queue_us: get(&self.queue_us, i),
            prefill_us: get(&self.prefill_us, i),
            decode_us: get(&self.decode_us, i),
            preemptions: get(&self.preemptions, i),
            queue_depth: get(&self.queue_depth, i),
            engine_index: get(&self.engine_index, i),
        }
    }

    /// A row of the list with these figures.
    pub(super) fn row(&self, i: usize, figures: &Figures) -> RequestRow {
        let label = |array: &StringArray| get(array, i).unwrap_or_default().to_owned();
        let text = |array: &StringArray| get(array, i).map(str::to_owned);
        let reasons = get(&self.finish_reasons, i).unwrap_or_default();
        RequestRow {
            trace_id: const_hex::encode(get(&self.trace_id, i).unwrap_or_default()),
            span_id: const_hex::encode(get(&self.span_id, i).unwrap_or_default()),
            start_ms: unix_ms(get(&self.start, i).unwrap_or_default()),
            duration_s: seconds_of_ns(get(&self.duration_ns, i).unwrap_or_default()),
            operation: label(&self.operation),
            model: label(&self.model),
            service: label(&self.service),
            instance: label(&self.instance),
            engine_index: figures.engine_index,
            status: get(&self.outcome, i).and_then(RequestStatus::from_name).unwrap_or(RequestStatus::Ok),
            error_type: text(&self.error_type),
            http_status: get(&self.http_status, i),
            stream: get(&self.stream, i).unwrap_or_default(),
            choices: get(&self.choices, i).unwrap_or(1),
            finish_reasons: reasons.split(',').filter(|r| !r.is_empty()).map(str::to_owned).collect(),
            input_tokens: figures.input_tokens,
            cached_tokens: figures.cached_tokens,
            output_tokens: figures.output_tokens,
            reasoning_tokens: figures.reasoning_tokens,
            ttft_s: figures.ttft_us.map(seconds_of_us),
            tpot_s: figures.tpot_us.map(seconds_of_us),
            e2e_s: figures.e2e_us.map(seconds_of_us),
            queue_s: figures.queue_us.map(seconds_of_us),
            prefill_s: figures.prefill_us.map(seconds_of_us),
            decode_s: figures.decode_us.map(seconds_of_us),
            preemptions: figures.preemptions.unwrap_or_default(),
            queue_depth: figures.queue_depth,
            response_id: text(&self.response_id),
        }
    }
}

/// Unix milliseconds with a fraction.
#[allow(clippy::cast_precision_loss)] // a double holds milliseconds of our century to 1/4096
pub(super) fn unix_ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}

#[allow(clippy::cast_precision_loss)] // exact up to 104 days
pub(super) fn seconds_of_ns(ns: i64) -> f64 {
    ns as f64 / 1e9
}

#[allow(clippy::cast_precision_loss)] // exact up to 285 years
fn seconds_of_us(us: i64) -> f64 {
    us as f64 / 1e6
}
