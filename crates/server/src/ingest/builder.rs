//! Column builders with the types of the store's tables.

use datafusion::arrow::array::{
    BinaryBuilder, BinaryDictionaryBuilder, FixedSizeBinaryBuilder, StringBuilder, StringDictionaryBuilder,
    TimestampNanosecondBuilder,
};
use datafusion::arrow::datatypes::Int32Type;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use prost::Message;
use tachograph_store::table::Kind;

/// Text that repeats.
pub(super) type Labels = StringDictionaryBuilder<Int32Type>;
/// Bytes that repeat.
pub(super) type SharedBytes = BinaryDictionaryBuilder<Int32Type>;

/// Times in UTC.
pub(super) fn times(rows: usize) -> TimestampNanosecondBuilder {
    TimestampNanosecondBuilder::with_capacity(rows).with_data_type(Kind::Time.data_type())
}

/// Ids of `width` bytes.
pub(super) fn ids(rows: usize, width: i32) -> FixedSizeBinaryBuilder {
    FixedSizeBinaryBuilder::with_capacity(rows, width)
}

/// Text that seldom repeats, of about `bytes` a row.
pub(super) fn text(rows: usize, bytes: usize) -> StringBuilder {
    StringBuilder::with_capacity(rows, rows * bytes)
}

/// Bytes that seldom repeat, of about `bytes` a row.
pub(super) fn binary(rows: usize, bytes: usize) -> BinaryBuilder {
    BinaryBuilder::with_capacity(rows, rows * bytes)
}

/// Attributes as they are kept: `repeated KeyValue attributes = 1`, those that `keep` wants.
pub(super) fn encode_attributes(attributes: &[KeyValue], keep: impl Fn(&str) -> bool, into: &mut Vec<u8>) {
    into.clear();
    attributes.iter().filter(|kv| keep(&kv.key)).for_each(|kv| encode_field_1(kv, into));
}

/// Append a message as field 1 of another.
pub(super) fn encode_field_1(message: &impl Message, into: &mut Vec<u8>) {
    prost::encoding::message::encode(1, message, into);
}
