//! How a record lies in the data: its length as u32 (little endian), then its bytes. Frames follow each other
//! without gaps and wrap at any byte.

use postcard::ser_flavors::Flavor;

use crate::producer::Store;

/// Bytes before the payload: its length.
pub(crate) const PREFIX: usize = size_of::<u32>();

/// Longest encoded record in bytes that a ring of `capacity` bytes takes: one that would fill a quarter of the
/// ring is a mistake, and would push many good ones out.
#[must_use]
pub const fn longest_record(capacity: usize) -> usize {
    capacity / 4
}

/// Serialises straight into the free part of the ring. What does not fit is counted and not stored.
pub(crate) struct Payload<'a, S> {
    store: &'a mut S,
    /// Where the payload begins.
    start: u64,
    /// Bytes seen.
    len: u64,
    /// Bytes that may be stored.
    limit: u64,
}

impl<'a, S: Store> Payload<'a, S> {
    pub(crate) fn new(store: &'a mut S, start: u64, limit: u64) -> Self {
        Self { store, start, len: 0, limit }
    }
}

impl<S: Store> Flavor for Payload<'_, S> {
    /// Length of the payload, stored or not.
    type Output = u64;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.len < self.limit {
            self.store.set(self.start + self.len, byte);
        }
        self.len += 1;
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        let end = self.len + bytes.len() as u64;
        if end <= self.limit {
            self.store.copy_in(self.start + self.len, bytes);
        }
        self.len = end;
        Ok(())
    }

    fn finalize(self) -> postcard::Result<u64> {
        Ok(self.len)
    }
}
