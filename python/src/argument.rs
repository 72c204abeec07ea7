//! Python values as the engine happens to pass them. What cannot be read is taken as absent and counted: an
//! argument of an odd type must not raise into the engine.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ffi::c_char;

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};
use pyo3::{Borrowed, ffi};
use tachograph_ring::record::{FinishReason, SequenceKey};

use crate::finish;
use crate::guest::count_fault;
use crate::text;

unsafe extern "C" {
    /// CPython's since 3.3 and in the stable ABI from 3.10 on; 3.9 exports it just the same. PyO3 leaves it out
    /// of abi3-py39, where every id of every step would be encoded into an object of its own.
    fn PyUnicode_AsUTF8AndSize(unicode: *mut ffi::PyObject, size: *mut ffi::Py_ssize_t) -> *const c_char;
}

/// Text, empty when it is not a str.
#[derive(Default)]
pub(crate) struct Text<'py>(Option<Bound<'py, PyString>>);

impl Text<'_> {
    /// At most `limit` bytes of it.
    pub(crate) fn get(&self, limit: usize) -> Cow<'_, str> {
        self.0.as_ref().map_or(Cow::Borrowed(""), |s| text::cut(utf8(s), limit))
    }
}

impl<'py> FromPyObject<'_, 'py> for Text<'py> {
    type Error = Infallible;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self(value.cast::<PyString>().ok().map(|s| s.to_owned())))
    }
}

/// An integer, absent when it is none or beyond 64 bits.
pub(crate) struct Int(pub(crate) Option<i64>);

impl Int {
    /// As a count: absent or negative is 0.
    pub(crate) fn count(&self) -> u32 {
        self.0.map_or(0, |n| u32::try_from(n.max(0)).unwrap_or(u32::MAX))
    }

    /// As a number of something, e.g. of a step: absent or negative is 0.
    pub(crate) fn ordinal(&self) -> u64 {
        self.0.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
    }
}

impl<'py> FromPyObject<'_, 'py> for Int {
    type Error = Infallible;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self(number(value)))
    }
}

/// A number, absent when it is none.
pub(crate) struct Real(pub(crate) Option<f64>);

impl<'py> FromPyObject<'_, 'py> for Real {
    type Error = Infallible;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self(number(value)))
    }
}

/// None is absent; anything else that is no number is absent too, and a fault.
fn number<'a, 'py, T: FromPyObject<'a, 'py>>(value: Borrowed<'a, 'py, PyAny>) -> Option<T> {
    if value.is_none() {
        return None;
    }
    value.extract().map_err(|_| count_fault()).ok()
}

/// A str as UTF-8; Python keeps the bytes of a str that is not ASCII, and lone surrogates are replaced.
pub(crate) fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Cow<'a, str> {
    let mut size = 0;
    // SAFETY: `text` is a str and we hold the GIL. The result is null with an exception set, or `size` bytes of
    // UTF-8 that belong to the str and live, unchanged, as long as it does; the borrow keeps it alive.
    let data = unsafe { PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size) };
    let (false, Ok(size)) = (data.is_null(), usize::try_from(size)) else {
        drop(PyErr::take(text.py()));
        return text.to_string_lossy();
    };
    // SAFETY: as above.
    Cow::Borrowed(unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(data.cast(), size)) })
}

/// The key of a sequence named by `id`; absent, and a fault, when that is not a str.
pub(crate) fn key(id: &Bound<'_, PyAny>) -> Option<SequenceKey> {
    id.cast::<PyString>().map(|id| SequenceKey::of(&utf8(id))).map_err(|_| count_fault()).ok()
}

/// vLLM's `FinishReason`, or its name; absent, and a fault, when it is neither.
pub(crate) fn finish_reason(value: &Bound<'_, PyAny>) -> Option<FinishReason> {
    let reason = match value.cast::<PyString>() {
        Ok(name) => finish::from_name(&utf8(name)),
        Err(_) => value.extract().ok().and_then(finish::from_number),
    };
    if reason.is_none() {
        count_fault();
    }
    reason
}

/// An attribute, absent when there is none or it is None.
pub(crate) fn attribute<'py>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> Option<Bound<'py, PyAny>> {
    object.getattr_opt(name).ok().flatten().filter(|value| !value.is_none())
}

/// An integer attribute, absent when there is none.
pub(crate) fn int_attribute<'py>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> Int {
    Int(attribute(object, name).and_then(|value| number(value.as_borrowed())))
}

/// The bytes of a bytes-like object; empty when it is none.
pub(crate) fn bytes<'a>(value: &'a Bound<'_, PyAny>) -> Cow<'a, [u8]> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Cow::Borrowed(bytes.as_bytes());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Cow::Owned(bytes.to_vec());
    }
    let copy = value.cast::<PyMemoryView>().ok().and_then(|view| view.call_method0("tobytes").ok());
    match copy.as_ref().and_then(|copy| copy.cast::<PyBytes>().ok()) {
        Some(copy) => Cow::Owned(copy.as_bytes().to_vec()),
        None => Cow::Borrowed(&[]),
    }
}

/// The bytes of what a mapping may not have.
pub(crate) fn bytes_or_none<'a>(value: Option<&'a Bound<'_, PyAny>>) -> Cow<'a, [u8]> {
    value.map_or(Cow::Borrowed(&[]), bytes)
}
