//! The resource of a group of rows, encoded once.

use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tachograph_schema::{attribute, otlp};

use crate::value;

/// What every row of the group shares.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) service: String,
    pub(super) instance: String,
    pub(super) bytes: Vec<u8>,
}

impl Shared {
    pub(super) fn new(resource: Option<&Resource>) -> Self {
        let Some(resource) = resource else { return Self::default() };
        let text =
            |key: &str| otlp::find(&resource.attributes, key).map(|v| value::text(v).into_owned()).unwrap_or_default();
        Self {
            service: text(attribute::SERVICE_NAME),
            instance: text(attribute::SERVICE_INSTANCE),
            bytes: resource.encode_to_vec(),
        }
    }
}
