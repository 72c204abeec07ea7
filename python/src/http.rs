//! The ASGI edge (<https://asgi.readthedocs.io/en/latest/specs/www.html>).

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use tachograph_ring::record::{HttpBody, HttpEnd, HttpResponse, HttpStart, Record};

use crate::argument::{Text, bytes, bytes_or_none, utf8};
use crate::exchange::Exchange;
use crate::guest::{admit_http, now_ns, quietly, write};
use crate::text::{TEXT_LIMIT, cut, from_bytes};
use crate::trace_context::{Parent, Span};

/// Name of the response header that tells the client its trace.
const TRACERESPONSE: &[u8] = b"traceresponse";

/// The last event of a stream of completions
/// (<https://platform.openai.com/docs/api-reference/chat-streaming>): all engines end theirs so.
const STREAM_END: &[u8] = b"data: [DONE]\n\n";

/// One request at the ASGI edge.
#[pyclass(frozen, module = "tachograph._probe")]
pub(crate) struct HttpRequest {
    id: u64,
    span: Span,
    /// Locked for a moment, never while Python is called.
    exchange: Mutex<Exchange>,
    /// When the last piece of the answer went out, or the client went away without it, 0 before. The application may
    /// go on for long after it: SGLang's streams have a background task that sleeps, and no client waits for it.
    answered_ns: AtomicU64,
}

#[pymethods]
impl HttpRequest {
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    #[getter]
    fn complete(&self) -> bool {
        self.exchange.lock().is_complete()
    }

    #[getter]
    fn traceresponse<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.span.traceresponse())
    }

    fn receive(&self, message: &Bound<'_, PyAny>) {
        quietly(|| self.received(message));
    }

    fn wrap_send<'py>(slf: &Bound<'py, Self>, send: Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        let request = slf.clone().unbind();
        match Bound::new(slf.py(), Send { send: send.clone().unbind(), request }) {
            Ok(wrapped) => wrapped.into_any(),
            Err(_) => send,
        }
    }

    fn end(&self, error: Text<'_>) {
        quietly(|| {
            let error = error.get(TEXT_LIMIT);
            if let Some(outcome) = self.exchange.lock().end(&error) {
                let t_ns = match self.answered_ns.load(Ordering::Relaxed) {
                    0 => now_ns(),
                    answered_ns => answered_ns,
                };
                write(&Record::HttpEnd(HttpEnd { t_ns, http_id: self.id, outcome, error: &error }));
            }
            Ok(())
        });
    }
}

impl HttpRequest {
    fn received(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let t_ns = now_ns();
        let Ok(message) = message.cast::<PyDict>() else { return Ok(()) };
        match &*kind(message)?.get(TEXT_LIMIT) {
            "http.request" => {
                let body = message.get_item(intern!(message.py(), "body"))?;
                let piece = bytes_or_none(body.as_ref());
                let last = !more_body(message)?;
                if let Some((body, len)) = self.exchange.lock().request_piece(&piece, last) {
                    write(&Record::HttpBody(HttpBody { t_ns, http_id: self.id, len, bytes: &body }));
                }
            }
            "http.disconnect" => {
                self.exchange.lock().disconnect();
                let _ = self.answered_ns.compare_exchange(0, t_ns, Ordering::Relaxed, Ordering::Relaxed);
            }
            _ => {}
        }
        Ok(())
    }

    /// Records a message on its way out; gives the one to send in its place, if any.
    fn sent<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let t_ns = now_ns();
        let Ok(message) = message.cast::<PyDict>() else { return Ok(None) };
        match &*kind(message)?.get(TEXT_LIMIT) {
            "http.response.body" => {
                let body = message.get_item(intern!(message.py(), "body"))?;
                let piece = bytes_or_none(body.as_ref());
                // Clients of a stream read no further than this, and may go before the empty piece after it.
                let last = !more_body(message)? || piece.ends_with(STREAM_END);
                let kept = self.exchange.lock().response_piece(&piece, last);
                if last {
                    self.answered_ns.store(t_ns, Ordering::Relaxed);
                }
                if !piece.is_empty() {
                    let len = piece.len() as u64;
                    write(&Record::HttpChunk(HttpBody { t_ns, http_id: self.id, len, bytes: kept }));
                }
                Ok(None)
            }
            "http.response.start" => self.response_start(t_ns, message).map(Some),
            // The extension for sending a file: the server sends the rest.
            "http.response.pathsend" => {
                self.exchange.lock().response_piece(&[], true);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn response_start<'py>(&self, t_ns: u64, message: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let py = message.py();
        let status = message.get_item(intern!(py, "status"))?.and_then(|s| s.extract().ok()).unwrap_or(0);
        let headers = message.get_item(intern!(py, "headers"))?.filter(|h| !h.is_none());
        // A list or a tuple may be read twice; what else an application may give is its own.
        let list = match &headers {
            None => Some(PyList::empty(py)),
            Some(h) if h.is_instance_of::<PyList>() || h.is_instance_of::<PyTuple>() => {
                Some(h.try_iter()?.collect::<PyResult<Vec<_>>>().and_then(|h| PyList::new(py, h))?)
            }
            Some(_) => None,
        };
        let (mut content_type, mut has_trace) = (None, false);
        for header in list.iter().flatten() {
            let Some((name, value)) = pair(&header) else { continue };
            if bytes(&name).eq_ignore_ascii_case(b"content-type") {
                content_type = Some(value);
            } else if bytes(&name).eq_ignore_ascii_case(TRACERESPONSE) {
                has_trace = true;
            }
        }
        let value = bytes_or_none(content_type.as_ref());
        let content_type = &*from_bytes(&value);
        write(&Record::HttpResponse(HttpResponse { t_ns, http_id: self.id, status, content_type }));
        let Some(list) = list.filter(|_| !has_trace) else { return Ok(message.clone().into_any()) };
        list.append((PyBytes::new(py, TRACERESPONSE), PyBytes::new(py, &self.span.traceresponse())))?;
        let message = message.copy()?;
        message.set_item(intern!(py, "headers"), list)?;
        Ok(message.into_any())
    }
}

/// The callable that stands in front of the server's `send`.
#[pyclass(frozen, module = "tachograph._probe")]
pub(crate) struct Send {
    send: Py<PyAny>,
    request: Py<HttpRequest>,
}

#[pymethods]
impl Send {
    fn __call__<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = message.py();
        let changed = quietly(|| self.request.get().sent(message));
        self.send.bind(py).call1((changed.as_ref().unwrap_or(message),))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.send)?;
        visit.call(&self.request)
    }
}

#[pyfunction]
pub(crate) fn http_start(scope: &Bound<'_, PyAny>) -> Option<HttpRequest> {
    quietly(|| start(scope))
}

fn start(scope: &Bound<'_, PyAny>) -> PyResult<Option<HttpRequest>> {
    let t_ns = now_ns();
    let py = scope.py();
    let Some(admission) = admit_http() else { return Ok(None) };
    let headers = Headers::read(field(scope, intern!(py, "headers")).as_ref())?;
    let span = Span::new(admission.ids, headers.parent);
    let (method, scheme) = (text(scope, intern!(py, "method")), text(scope, intern!(py, "scheme")));
    let (path, http_version) = (text(scope, intern!(py, "path")), text(scope, intern!(py, "http_version")));
    let query = field(scope, intern!(py, "query_string"));
    let query = bytes_or_none(query.as_ref());
    let (client, client_port) = address(field(scope, intern!(py, "client")).as_ref());
    let (server, server_port) = address(field(scope, intern!(py, "server")).as_ref());
    write(&Record::HttpStart(HttpStart {
        t_ns,
        http_id: admission.id,
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent_span_id: span.parent_span_id,
        trace_flags: span.flags,
        tracestate: &headers.tracestate,
        method: &method,
        scheme: &scheme,
        path: &path,
        query: &from_bytes(&query),
        http_version: &http_version,
        client: &client,
        client_port,
        server: &server,
        server_port,
        user_agent: &headers.user_agent,
        request_id: &headers.request_id,
    }));
    let exchange = Mutex::new(Exchange::new(admission.body_room));
    Ok(Some(HttpRequest { id: admission.id, span, exchange, answered_ns: AtomicU64::new(0) }))
}

/// The request headers that are recorded.
#[derive(Default)]
struct Headers {
    parent: Option<Parent>,
    tracestate: String,
    user_agent: String,
    request_id: String,
}

impl Headers {
    fn read(headers: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut read = Self::default();
        let mut parents = 0;
        let Some(headers) = headers else { return Ok(read) };
        for header in headers.try_iter()? {
            let Some((name, value)) = pair(&header?) else { continue };
            let value = bytes(&value);
            match bytes(&name).to_ascii_lowercase().as_slice() {
                b"traceparent" => {
                    parents += 1;
                    read.parent = Parent::parse(&value);
                }
                // Several are one list. A cut one would be wrong, so a long one is left out.
                b"tracestate" if read.tracestate.len() + value.len() < TEXT_LIMIT => {
                    if !read.tracestate.is_empty() {
                        read.tracestate.push(',');
                    }
                    read.tracestate.push_str(&from_bytes(&value));
                }
                b"user-agent" => read.user_agent = from_bytes(&value).into_owned(),
                b"x-request-id" => read.request_id = from_bytes(&value).into_owned(),
                _ => {}
            }
        }
        if parents != 1 {
            read.parent = None;
        }
        if read.parent.is_none() {
            read.tracestate.clear();
        }
        Ok(read)
    }
}

/// The type of an ASGI message, empty when it has none.
fn kind<'py>(message: &Bound<'py, PyDict>) -> PyResult<Text<'py>> {
    Ok(message.get_item(intern!(message.py(), "type"))?.map(|kind| kind.extract()).transpose()?.unwrap_or_default())
}

/// Whether another piece of the body follows.
fn more_body(message: &Bound<'_, PyDict>) -> PyResult<bool> {
    message.get_item(intern!(message.py(), "more_body"))?.map_or(Ok(false), |more| more.is_truthy())
}

/// A header's name and value; absent when it is no pair.
fn pair<'py>(header: &Bound<'py, PyAny>) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    Some((header.get_item(0).ok()?, header.get_item(1).ok()?))
}

/// What a scope says under a key, absent when it says nothing or None.
fn field<'py>(scope: &Bound<'py, PyAny>, key: &Bound<'py, PyString>) -> Option<Bound<'py, PyAny>> {
    let value = match scope.cast::<PyDict>() {
        Ok(scope) => scope.get_item(key).ok().flatten(),
        Err(_) => scope.get_item(key).ok(),
    };
    value.filter(|value| !value.is_none())
}

fn text(scope: &Bound<'_, PyAny>, key: &Bound<'_, PyString>) -> String {
    field(scope, key).map_or_else(String::new, |value| as_text(&value))
}

/// Host and port of one end of the connection; a Unix socket has a path and None.
fn address(end: Option<&Bound<'_, PyAny>>) -> (String, u16) {
    let host = end.and_then(|end| end.get_item(0).ok()).map_or_else(String::new, |host| as_text(&host));
    let port = end.and_then(|end| end.get_item(1).ok()).and_then(|port| port.extract().ok()).unwrap_or(0);
    (host, port)
}

fn as_text(value: &Bound<'_, PyAny>) -> String {
    value.cast::<PyString>().map_or_else(|_| String::new(), |s| cut(utf8(s), TEXT_LIMIT).into_owned())
}
