//! When the server was being sent something: where it was, no request means 0; where it was not, nothing is known.

use datafusion::arrow::array::Int64Array;
use datafusion::arrow::datatypes::DataType;
use tachograph_store::{Store, literal};

use super::request::LONGEST_REQUEST_NS;
use super::{Grid, LOOKBACK_NS, limit};
use crate::query::QueryError;
use crate::query::column::{column, get, whole};

/// For each bucket whether a span or a metric of any sender lies in it or within 90 s of it.
pub(super) async fn of(store: &dyn Store, grid: Grid) -> Result<Vec<bool>, QueryError> {
    let (from, to) = (grid.first_ns().saturating_sub(LOOKBACK_NS), grid.to_ns().saturating_add(LOOKBACK_NS));
    let step = grid.step_ns();
    let end = "(CAST(start AS BIGINT) + duration_ns)";
    let sql = format!(
        "SELECT DISTINCT slot FROM (\
           SELECT (CAST(time AS BIGINT) - {from}) / {step} AS slot FROM points WHERE time >= {0} AND time < {1} \
           UNION ALL SELECT (CAST(start AS BIGINT) - {from}) / {step} FROM spans WHERE start >= {0} AND start < {1} \
           UNION ALL SELECT ({end} - {from}) / {step} FROM spans \
             WHERE start >= {2} AND start < {1} AND {end} >= {from} AND {end} < {to})",
        literal::time(from),
        literal::time(to),
        literal::time(from.saturating_sub(LONGEST_REQUEST_NS)),
    );
    let answer = store.sql(&sql, limit()).await?;
    let mut covered = vec![false; grid.buckets()];
    if let Some(batch) = whole(&answer)? {
        let slots: Int64Array = column(&batch, "slot", &DataType::Int64)?;
        for slot in (0..batch.num_rows()).filter_map(|row| get(&slots, row)) {
            let start = from.saturating_add(slot.saturating_mul(step));
            let touched = grid.touched(start - LOOKBACK_NS, start.saturating_add(step).saturating_add(LOOKBACK_NS));
            covered.get_mut(touched).into_iter().flatten().for_each(|c| *c = true);
        }
    }
    Ok(covered)
}
