//! One value for each table.

use std::ops::{Index, IndexMut};

use crate::table::Table;

/// One value for each table, in the order of [`Table::ALL`].
#[derive(Clone, Debug, Default)]
pub(crate) struct ByTable<T>([T; Table::ALL.len()]);

impl<T> ByTable<T> {
    /// The values with their tables.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Table, &T)> {
        Table::ALL.into_iter().zip(&self.0)
    }
}

impl<T> Index<Table> for ByTable<T> {
    type Output = T;

    fn index(&self, table: Table) -> &T {
        &self.0[position(table)]
    }
}

impl<T> IndexMut<Table> for ByTable<T> {
    fn index_mut(&mut self, table: Table) -> &mut T {
        &mut self.0[position(table)]
    }
}

fn position(table: Table) -> usize {
    match table {
        Table::Spans => 0,
        Table::Content => 1,
        Table::Points => 2,
        Table::Logs => 3,
    }
}
