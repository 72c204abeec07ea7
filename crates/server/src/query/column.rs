//! Reading the columns of an answer: whatever form the engine chose (dictionary, view), one form here.

use datafusion::arrow::array::{Array, ArrayAccessor, BinaryArray, RecordBatch};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use prost::Message;

/// An answer as one batch, none where it has no rows.
pub(super) fn whole(batches: &[RecordBatch]) -> Result<Option<RecordBatch>, ArrowError> {
    let Some(first) = batches.first() else { return Ok(None) };
    let whole = concat_batches(&first.schema(), batches)?;
    Ok((whole.num_rows() > 0).then_some(whole))
}

/// A column by its name, as the Arrow type that belongs to `A`.
pub(super) fn column<A: Array + Clone + 'static>(
    batch: &RecordBatch,
    name: &str,
    data_type: &DataType,
) -> Result<A, ArrowError> {
    let column = batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
    let column = cast(column, data_type)?;
    let typed = column.as_any().downcast_ref::<A>().cloned();
    typed.ok_or_else(|| ArrowError::CastError(format!("{name} is not {data_type}")))
}

/// The value of a row, none for null.
#[allow(clippy::needless_pass_by_value)] // an accessor is a reference
pub(super) fn get<A: ArrayAccessor>(array: A, row: usize) -> Option<A::Item> {
    (row < array.len() && array.is_valid(row)).then(|| array.value(row))
}

/// A message that ingest encoded; the bytes come from nowhere else, so what does not decode is empty.
pub(super) fn decode<M: Message + Default>(column: &BinaryArray, row: usize) -> M {
    get(column, row).and_then(|bytes| M::decode(bytes).ok()).unwrap_or_default()
}

/// Attributes as ingest keeps them.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attributes {
    #[prost(message, repeated, tag = "1")]
    pub(super) items: Vec<KeyValue>,
}

/// Declares a struct of columns and how it is read from a batch.
macro_rules! columns {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $array:ident = $data_type:expr,)+ }) => {
        $(#[$meta])*
        pub(super) struct $name { $(pub(super) $field: $array,)+ }

        impl $name {
            pub(super) fn new(batch: &RecordBatch) -> Result<Self, ArrowError> {
                Ok(Self { $($field: column(batch, stringify!($field), &$data_type)?,)+ })
            }
        }
    };
}
pub(super) use columns;
