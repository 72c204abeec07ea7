//! The values that a filter can choose from.

use std::collections::BTreeMap;

use datafusion::arrow::array::{StringArray, UInt64Array};
use datafusion::arrow::datatypes::DataType;
use tachograph_store::{QueryLimit, Store, literal};

use super::QueryError;
use super::column::{column, get, whole};
use crate::api::wire::{FacetValue, Facets};

/// Most values of one filter.
const MAX_VALUES: usize = 100;

/// The filters and the expression of their value. Finish reasons: each of a request's counts.
const FACETS: [(&str, &str); 6] = [
    ("model", "CAST(model AS VARCHAR)"),
    ("service", "CAST(service AS VARCHAR)"),
    ("instance", "CAST(instance AS VARCHAR)"),
    ("operation", "CAST(operation AS VARCHAR)"),
    ("status", "CAST(outcome AS VARCHAR)"),
    ("finish_reason", super::series::FINISH_REASON),
];

/// Values of requests that started in the range, most frequent first.
pub(crate) async fn facets(store: &dyn Store, from_ns: i64, to_ns: i64) -> Result<Facets, QueryError> {
    let of_one = |(name, value): &(&str, &str)| {
        format!(
            "(SELECT '{name}' AS facet, value, count(*) AS n FROM (SELECT {value} AS value FROM spans \
             WHERE is_request AND start >= {} AND start < {}) WHERE value <> '' \
             GROUP BY value ORDER BY n DESC, value LIMIT {MAX_VALUES})",
            literal::time(from_ns),
            literal::time(to_ns)
        )
    };
    let sql = FACETS.iter().map(of_one).collect::<Vec<_>>().join(" UNION ALL ");
    let answer = store.sql(&sql, QueryLimit::default()).await?;
    let mut facets: BTreeMap<String, Vec<FacetValue>> =
        FACETS.iter().map(|(name, _)| ((*name).to_owned(), Vec::new())).collect();
    if let Some(batch) = whole(&answer)? {
        let names: StringArray = column(&batch, "facet", &DataType::Utf8)?;
        let values: StringArray = column(&batch, "value", &DataType::Utf8)?;
        let counts: UInt64Array = column(&batch, "n", &DataType::UInt64)?;
        for row in 0..batch.num_rows() {
            let name = get(&names, row).unwrap_or_default();
            if let Some(list) = facets.get_mut(name) {
                let value = get(&values, row).unwrap_or_default().to_owned();
                list.push(FacetValue { value, count: get(&counts, row).unwrap_or_default() });
            }
        }
    }
    for list in facets.values_mut() {
        list.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    }
    Ok(Facets { facets })
}
