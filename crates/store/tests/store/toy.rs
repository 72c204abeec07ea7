//! A payload that lists numbers, and rows made of a number, so that tests need no OTLP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tachograph_store::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array,
    Int32Array, Int64Array, ListArray, StringArray, TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array, new_null_array,
};
use tachograph_store::arrow::compute::cast;
use tachograph_store::arrow::datatypes::{Float64Type, Int32Type, UInt64Type};
use tachograph_store::arrow::record_batch::RecordBatch;
use tachograph_store::table::{Column, Kind};
use tachograph_store::{
    Decode, DecodeError, Embedded, EmbeddedConfig, Frame, QueryLimit, Signal, Store, StoreError, Table, Tables,
};

/// Time of row 0: 2026-11-24T00:00:00Z.
pub(crate) const BASE_NS: i64 = 1_795_478_400_000_000_000;
/// Time between two rows.
pub(crate) const STEP_NS: i64 = 1_000_000;
/// A payload byte count that is no multiple of a number's eight cannot be decoded.
const NUMBER_BYTES: usize = 8;

/// Rows flush only when a test says so.
pub(crate) fn quiet() -> EmbeddedConfig {
    EmbeddedConfig { flush_age: Duration::from_secs(3600), ..EmbeddedConfig::default() }
}

pub(crate) fn open(directory: &Path) -> Embedded {
    open_with(directory, quiet())
}

pub(crate) fn open_with(directory: &Path, config: EmbeddedConfig) -> Embedded {
    try_open(directory, config).unwrap()
}

pub(crate) fn try_open(directory: &Path, config: EmbeddedConfig) -> Result<Embedded, StoreError> {
    Embedded::open(directory, config, Arc::new(Toy))
}

pub(crate) fn frame(signal: Signal, ids: impl IntoIterator<Item = u64>) -> Frame {
    let payload: Vec<u8> = ids.into_iter().flat_map(u64::to_le_bytes).collect();
    Frame { signal, received_ns: 7, payload: payload.into() }
}

/// Writes rows with these numbers: spans (and content for even numbers), points or logs.
pub(crate) async fn write(
    store: &Embedded,
    signal: Signal,
    ids: impl IntoIterator<Item = u64>,
) -> Result<(), StoreError> {
    let frame = frame(signal, ids);
    let tables = Toy.decode(&frame).unwrap();
    store.write(frame, tables).await
}

pub(crate) struct Toy;

impl Decode for Toy {
    fn decode(&self, frame: &Frame) -> Result<Tables, DecodeError> {
        if !frame.payload.len().is_multiple_of(NUMBER_BYTES) {
            return Err(DecodeError("the payload is not a list of numbers".into()));
        }
        let ids: Vec<u64> =
            frame.payload.chunks(NUMBER_BYTES).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect();
        let even: Vec<u64> = ids.iter().copied().filter(|id| id.is_multiple_of(2)).collect();
        Ok(match frame.signal {
            Signal::Traces => Tables {
                spans: Some(batch(Table::Spans, &ids)),
                content: Some(batch(Table::Content, &even)),
                ..Tables::default()
            },
            Signal::Metrics => Tables { points: Some(batch(Table::Points, &ids)), ..Tables::default() },
            Signal::Logs => Tables { logs: Some(batch(Table::Logs, &ids)), ..Tables::default() },
        })
    }
}

/// Rows of `table`, one a number. Every third value of a nullable column is null.
pub(crate) fn batch(table: Table, ids: &[u64]) -> RecordBatch {
    let columns = table.columns().iter().map(|column| values(table, column, ids)).collect();
    RecordBatch::try_new(Arc::clone(table.schema()), columns).unwrap()
}

pub(crate) fn trace_id(id: u64) -> [u8; 16] {
    let mut bytes = [0xab; 16];
    bytes[..8].copy_from_slice(&(id / 4).to_be_bytes());
    bytes
}

pub(crate) fn time_of(id: u64) -> i64 {
    BASE_NS + STEP_NS * i64::try_from(id).unwrap()
}

fn values(table: Table, column: &Column, ids: &[u64]) -> ArrayRef {
    let null =
        |id: u64| column.nullable && id.is_multiple_of(3) && column.name != "trace_id" && column.name != "span_id";
    let some = |id: &u64| (!null(*id)).then_some(*id);
    let texts = || StringArray::from_iter(ids.iter().map(|id| some(id).map(|id| text(column, id))));
    let bytes = || BinaryArray::from_iter(ids.iter().map(|id| some(id).map(|id| text(column, id).into_bytes())));
    if ids.is_empty() {
        return new_null_array(&column.kind.data_type(), 0);
    }
    match column.kind {
        Kind::TraceId => Arc::new(FixedSizeBinaryArray::try_from_iter(ids.iter().map(|id| trace_id(*id))).unwrap()),
        Kind::SpanId => Arc::new(FixedSizeBinaryArray::try_from_iter(ids.iter().map(|id| id.to_be_bytes())).unwrap()),
        Kind::Time if column.name == table.time_column() => {
            Arc::new(TimestampNanosecondArray::from_iter_values(ids.iter().map(|id| time_of(*id))).with_timezone("UTC"))
        }
        Kind::Time => Arc::new(
            TimestampNanosecondArray::from_iter(ids.iter().map(|id| some(id).map(|id| time_of(id) - 1)))
                .with_timezone("UTC"),
        ),
        Kind::Int64 => Arc::new(Int64Array::from_iter(ids.iter().map(|id| some(id).map(|id| id as i64)))),
        Kind::Int32 => Arc::new(Int32Array::from_iter(ids.iter().map(|id| some(id).map(|id| id as i32)))),
        Kind::UInt64 => Arc::new(UInt64Array::from_iter(ids.iter().map(some))),
        Kind::UInt32 => Arc::new(UInt32Array::from_iter(ids.iter().map(|id| some(id).map(|id| id as u32)))),
        Kind::UInt16 => Arc::new(UInt16Array::from_iter(ids.iter().map(|id| some(id).map(|id| id as u16)))),
        Kind::UInt8 => Arc::new(UInt8Array::from_iter(ids.iter().map(|id| some(id).map(|id| (id % 5) as u8)))),
        Kind::Float64 => Arc::new(Float64Array::from_iter(ids.iter().map(|id| Some(*id as f64)))),
        Kind::Boolean => {
            Arc::new(BooleanArray::from_iter(ids.iter().map(|id| some(id).map(|id| id.is_multiple_of(2)))))
        }
        Kind::Text => Arc::new(texts()),
        Kind::Bytes => Arc::new(bytes()),
        Kind::Label => cast(&texts(), &column.kind.data_type()).unwrap(),
        Kind::SharedBytes => cast(&bytes(), &column.kind.data_type()).unwrap(),
        Kind::Floats => list::<Float64Type>(column, ids, |id| id as f64),
        Kind::Counts => list::<UInt64Type>(column, ids, |id| id),
    }
}

fn list<T: tachograph_store::arrow::datatypes::ArrowPrimitiveType>(
    column: &Column,
    ids: &[u64],
    value: impl Fn(u64) -> T::Native,
) -> ArrayRef {
    let rows = ids.iter().map(|id| (!id.is_multiple_of(3)).then(|| vec![Some(value(*id)); (id % 4) as usize]));
    let list = ListArray::from_iter_primitive::<T, _, _>(rows);
    cast(&list, &column.kind.data_type()).unwrap()
}

fn text(column: &Column, id: u64) -> String {
    match column.kind {
        Kind::Label => format!("{}-{}", column.name, id % 3),
        Kind::SharedBytes => format!("{} {}", column.name, id % 2),
        _ if column.name == "body" => id.to_string(),
        _ => format!("{} of {id}", column.name),
    }
}

pub(crate) async fn sql(store: &Embedded, statement: &str) -> Vec<RecordBatch> {
    try_sql(store, statement).await.unwrap()
}

pub(crate) async fn try_sql(store: &Embedded, statement: &str) -> Result<Vec<RecordBatch>, StoreError> {
    store.sql(statement, QueryLimit { rows: 1_000_000, ..QueryLimit::default() }).await
}

/// The one number that a query answers.
pub(crate) async fn number(store: &Embedded, statement: &str) -> i64 {
    let batches = sql(store, statement).await;
    cast(batches[0].column(0), &tachograph_store::arrow::datatypes::DataType::Int64)
        .unwrap()
        .as_primitive::<tachograph_store::arrow::datatypes::Int64Type>()
        .value(0)
}

/// The numbers of the rows of a table, sorted, as often as they are there.
pub(crate) async fn ids(store: &Embedded, table: Table) -> Vec<u64> {
    let column = match table {
        Table::Spans | Table::Content => "span_id",
        Table::Points => "value",
        Table::Logs => "body",
    };
    let mut ids = Vec::new();
    for batch in sql(store, &format!("SELECT {column} FROM {table}")).await {
        ids.extend(column_ids(table, batch.column(0)));
    }
    ids.sort_unstable();
    ids
}

pub(crate) fn column_ids(table: Table, column: &ArrayRef) -> Vec<u64> {
    match table {
        Table::Spans | Table::Content => {
            column.as_fixed_size_binary().iter().map(|id| u64::from_be_bytes(id.unwrap().try_into().unwrap())).collect()
        }
        Table::Points => column.as_primitive::<Float64Type>().values().iter().map(|id| *id as u64).collect(),
        Table::Logs => column.as_string::<i32>().iter().map(|id| id.unwrap().parse().unwrap()).collect(),
    }
}

/// The strings of a column, dictionary or not.
pub(crate) fn strings(column: &ArrayRef) -> Vec<String> {
    let plain = cast(column, &tachograph_store::arrow::datatypes::DataType::Utf8).unwrap();
    plain.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

pub(crate) fn is_dictionary(column: &ArrayRef) -> bool {
    column.as_any().is::<DictionaryArray<Int32Type>>()
}

/// Copies a directory as a crash would leave it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files below `directory` whose names end so, sorted.
pub(crate) fn files(directory: &Path, end: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}
