//! SQL literals: the only way a value from outside gets into a statement.

use std::fmt::Write;

/// A string literal.
pub fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A time literal from Unix nanoseconds.
pub fn time(unix_ns: i64) -> String {
    format!("arrow_cast({unix_ns}, 'Timestamp(ns, \"UTC\")')")
}

/// A trace id or span id (16 or 8 bytes). A plain `X'…'` would match too, but no filter on ids could use it.
pub fn id(value: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * value.len());
    for byte in value {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    format!("arrow_cast(X'{hex}', 'FixedSizeBinary({})')", value.len())
}
