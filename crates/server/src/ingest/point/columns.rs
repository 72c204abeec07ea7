//! The columns of `points` under construction.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, ListBuilder, PrimitiveBuilder, RecordBatch,
    TimestampNanosecondBuilder, UInt8Builder, UInt32Builder, UInt64Builder,
};
use datafusion::arrow::datatypes::{ArrowPrimitiveType, Field, Float64Type, UInt64Type};
use datafusion::arrow::error::ArrowError;
use tachograph_store::table::POINTS;

use super::{Instrument, Point, start};
use crate::ingest::builder::{Labels, SharedBytes, encode_attributes, times};
use crate::ingest::nanos;

type Numbers<T> = ListBuilder<PrimitiveBuilder<T>>;

pub(super) struct PointColumns {
    name: Labels,
    unit: Labels,
    kind: UInt8Builder,
    monotonic: BooleanBuilder,
    temporality: UInt8Builder,
    service: Labels,
    instance: Labels,
    model: Labels,
    engine_index: UInt32Builder,
    labels: Labels,
    start: TimestampNanosecondBuilder,
    time: TimestampNanosecondBuilder,
    value: Float64Builder,
    count: UInt64Builder,
    sum: Float64Builder,
    min: Float64Builder,
    max: Float64Builder,
    bounds: Numbers<Float64Type>,
    quantile_values: Numbers<Float64Type>,
    buckets: Numbers<UInt64Type>,
    scale: Int32Builder,
    offset: Int32Builder,
    zero_count: UInt64Builder,
    negative_offset: Int32Builder,
    negative_buckets: Numbers<UInt64Type>,
    attributes: SharedBytes,
    resource: SharedBytes,
    scratch: Vec<u8>,
}

impl Default for PointColumns {
    fn default() -> Self {
        Self {
            name: Labels::new(),
            unit: Labels::new(),
            kind: UInt8Builder::new(),
            monotonic: BooleanBuilder::new(),
            temporality: UInt8Builder::new(),
            service: Labels::new(),
            instance: Labels::new(),
            model: Labels::new(),
            engine_index: UInt32Builder::new(),
            labels: Labels::new(),
            start: times(0),
            time: times(0),
            value: Float64Builder::new(),
            count: UInt64Builder::new(),
            sum: Float64Builder::new(),
            min: Float64Builder::new(),
            max: Float64Builder::new(),
            bounds: list(),
            quantile_values: list(),
            buckets: list(),
            scale: Int32Builder::new(),
            offset: Int32Builder::new(),
            zero_count: UInt64Builder::new(),
            negative_offset: Int32Builder::new(),
            negative_buckets: list(),
            attributes: SharedBytes::new(),
            resource: SharedBytes::new(),
            scratch: Vec::new(),
        }
    }
}

/// A list whose items are never null.
fn list<T: ArrowPrimitiveType>() -> Numbers<T> {
    ListBuilder::new(PrimitiveBuilder::new()).with_field(Field::new("item", T::DATA_TYPE, false))
}

fn append_list<T: ArrowPrimitiveType>(column: &mut Numbers<T>, items: Option<&[T::Native]>) {
    if let Some(items) = items {
        column.values().append_slice(items);
    }
    column.append(items.is_some());
}

impl PointColumns {
    pub(super) fn append(&mut self, of: Instrument<'_>, point: &Point<'_>) -> Result<(), ArrowError> {
        self.name.append(&of.metric.name)?;
        self.unit.append(&of.metric.unit)?;
        self.kind.append_value(of.kind as u8);
        self.monotonic.append_value(of.monotonic);
        self.temporality.append_value(u8::try_from(of.temporality).unwrap_or_default());
        self.service.append(&of.shared.service)?;
        self.instance.append(&of.shared.instance)?;
        self.model.append_option(point.model());
        self.engine_index.append_option(point.engine_index());
        self.labels.append(point.labels())?;
        self.start.append_option(start(point.start_ns));
        self.time.append_value(nanos(point.time_ns));
        self.value.append_option(point.value);
        self.count.append_option(point.count);
        self.sum.append_option(point.sum);
        self.min.append_option(point.min);
        self.max.append_option(point.max);
        append_list(&mut self.bounds, point.bounds.as_deref());
        append_list(&mut self.quantile_values, point.quantile_values.as_deref());
        append_list(&mut self.buckets, point.buckets);
        self.scale.append_option(point.scale);
        self.offset.append_option(point.offset);
        self.zero_count.append_option(point.zero_count);
        self.negative_offset.append_option(point.negative_offset);
        append_list(&mut self.negative_buckets, point.negative_buckets);
        encode_attributes(point.attributes, |_| true, &mut self.scratch);
        self.attributes.append(&self.scratch)?;
        self.resource.append(&of.shared.bytes)?;
        Ok(())
    }

    /// The batch, in the order of the table's columns.
    pub(super) fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.name.finish()),
            Arc::new(self.unit.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.monotonic.finish()),
            Arc::new(self.temporality.finish()),
            Arc::new(self.service.finish()),
            Arc::new(self.instance.finish()),
            Arc::new(self.model.finish()),
            Arc::new(self.engine_index.finish()),
            Arc::new(self.labels.finish()),
            Arc::new(self.start.finish()),
            Arc::new(self.time.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.count.finish()),
            Arc::new(self.sum.finish()),
            Arc::new(self.min.finish()),
            Arc::new(self.max.finish()),
            Arc::new(self.bounds.finish()),
            Arc::new(self.quantile_values.finish()),
            Arc::new(self.buckets.finish()),
            Arc::new(self.scale.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.zero_count.finish()),
            Arc::new(self.negative_offset.finish()),
            Arc::new(self.negative_buckets.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.resource.finish()),
        ];
        RecordBatch::try_new(POINTS.clone(), columns)
    }
}
