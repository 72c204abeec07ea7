//! SGLang's scheduler and tokenizer manager: the loops over the requests of a batch, once per step.
//!
//! Reads attributes that `Req` and the output batches have had under the same names since 0.4.

use std::borrow::Cow;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySequence, PyString};
use tachograph_ring::record::{
    FinishReason, FrontOutput, FrontOutputs, Member, Record, SequenceKey, Step, StepOutput, StepOutputs,
};

use crate::argument::{Int, Real, attribute, int_attribute, key, utf8};
use crate::guest::{count_fault, now_ns, quietly, write};

/// Beginning of the request ids of `/health_generate`: the server asks itself, no client is behind them.
const HEALTH_CHECK: &str = "HEALTH_CHECK";

#[pyfunction]
#[pyo3(signature = (*, start_ns, schedule_ns, engine_index, step, reqs, tokens, running, waiting, deferred, kv_usage))]
#[allow(clippy::too_many_arguments, reason = "named one by one in Python")]
pub(crate) fn sglang_step(
    start_ns: Int,
    schedule_ns: Int,
    engine_index: Int,
    step: Int,
    reqs: &Bound<'_, PyAny>,
    tokens: Option<Bound<'_, PyAny>>,
    running: Int,
    waiting: Int,
    deferred: Int,
    kv_usage: Real,
) {
    quietly(|| {
        let tokens = tokens.map(|tokens| tokens.cast_into::<PySequence>()).transpose()?;
        let mut members = Vec::with_capacity(reqs.len().unwrap_or(0));
        for (index, req) in reqs.try_iter()?.enumerate() {
            let Some(key) = sequence(&req?) else { continue };
            let scheduled = tokens.as_ref().and_then(|tokens| tokens.get_item(index).ok()?.extract::<Int>().ok());
            members.push(Member { key, tokens: scheduled.map_or(1, |tokens| tokens.count()) });
        }
        #[allow(clippy::cast_possible_truncation, reason = "a share from 0 to 1 needs no more than an f32")]
        let kv_usage = kv_usage.0.unwrap_or(0.0) as f32;
        write(&Record::Step(Step {
            t_ns: start_ns.ordinal(),
            schedule_ns: schedule_ns.count(),
            engine_index: engine_index.count(),
            step: step.ordinal(),
            running: running.count(),
            waiting: waiting.count(),
            deferred: deferred.count(),
            kv_usage,
            members: Cow::Borrowed(&members),
        }));
        Ok(())
    });
}

/// The requests of a batch with the length of their outputs, before the scheduler takes the model's output.
#[pyclass(frozen)]
pub(crate) struct SglangBatch {
    reqs: Py<PyAny>,
    /// Output tokens so far; absent where the request ended already: overlap scheduling runs it once more.
    lengths: Vec<Option<u32>>,
}

#[pyfunction]
pub(crate) fn sglang_batch(reqs: Bound<'_, PyAny>) -> Option<SglangBatch> {
    quietly(|| {
        let mut lengths = Vec::with_capacity(reqs.len().unwrap_or(0));
        for req in reqs.try_iter()? {
            let req = req?;
            let ended = attribute(&req, intern!(req.py(), "finished_reason")).is_some();
            lengths.push((!ended).then(|| output_tokens(&req)));
        }
        Ok(Some(SglangBatch { reqs: reqs.unbind(), lengths }))
    })
}

#[pymethods]
impl SglangBatch {
    fn outputs(&self, py: Python<'_>, engine_index: Int, step: Int, generates: bool) {
        quietly(|| {
            let t_ns = now_ns();
            let mut outputs = Vec::new();
            let (mut prefix_queries, mut prefix_hits) = (0, 0);
            for (req, &before) in self.reqs.bind(py).try_iter()?.zip(&self.lengths) {
                let (req, Some(before)) = (req?, before) else { continue };
                let Some((output, queries)) = step_output(&req, before, generates) else { continue };
                prefix_queries += queries;
                prefix_hits += u64::from(output.cached_tokens.unwrap_or(0));
                outputs.push(output);
            }
            if !outputs.is_empty() {
                write(&Record::StepOutputs(StepOutputs {
                    t_ns,
                    engine_index: engine_index.count(),
                    step: step.ordinal(),
                    prefix_queries,
                    prefix_hits,
                    outputs: Cow::Borrowed(&outputs),
                }));
            }
            Ok(())
        });
    }
}

/// What a request got, and how many prompt tokens were looked up in the cache for it; absent when it got nothing, as
/// in the middle of a chunked prefill.
fn step_output(req: &Bound<'_, PyAny>, before: u32, generates: bool) -> Option<(StepOutput, u64)> {
    let py = req.py();
    let reason = attribute(req, intern!(py, "finished_reason"));
    let made = output_tokens(req);
    let mut after = made;
    if reason.is_some() {
        // Several tokens may be accepted at once, those after a stop among them.
        let whole = int_attribute(req, intern!(py, "finished_len"));
        after = whole.0.map_or(after, |_| after.min(whole.count()));
    }
    let tokens = after.saturating_sub(before);
    if tokens == 0 && reason.is_none() {
        return None;
    }
    let key = sequence(req)?;
    let finish = reason.map(|reason| {
        let told = reason.call_method0(intern!(py, "to_json")).ok();
        match told.as_ref().and_then(finish_reason) {
            // A pooled sequence ends with its one dummy token, for which there is no room: nothing was cut.
            Some(FinishReason::Length) if !generates => FinishReason::Stop,
            Some(reason) => reason,
            None => FinishReason::Error,
        }
    });
    let first = before == 0 && made > 0;
    let cached_tokens = first.then(|| int_attribute(req, intern!(py, "cached_tokens")).count());
    let prompt = attribute(req, intern!(py, "origin_input_ids")).filter(|_| first);
    let queries = prompt.and_then(|ids| ids.len().ok()).unwrap_or(0);
    let tokens = if generates { tokens } else { 0 };
    Some((StepOutput { key, tokens, cached_tokens, finish }, u64::try_from(queries).unwrap_or(u64::MAX)))
}

fn output_tokens(req: &Bound<'_, PyAny>) -> u32 {
    let ids = attribute(req, intern!(req.py(), "output_ids"));
    ids.and_then(|ids| ids.len().ok()).map_or(0, |len| u32::try_from(len).unwrap_or(u32::MAX))
}

/// The key of a request; absent for a health check.
fn sequence(req: &Bound<'_, PyAny>) -> Option<SequenceKey> {
    attribute(req, intern!(req.py(), "rid")).as_ref().and_then(client_key)
}

fn client_key(id: &Bound<'_, PyAny>) -> Option<SequenceKey> {
    if id.cast::<PyString>().is_ok_and(|id| utf8(id).starts_with(HEALTH_CHECK)) {
        return None;
    }
    key(id)
}

/// `{"type": "stop" | "length" | "abort", "status_code": …}`, as every version tells it.
fn finish_reason(told: &Bound<'_, PyAny>) -> Option<FinishReason> {
    let told = told.cast::<PyDict>().ok()?;
    let kind = told.get_item(intern!(told.py(), "type")).ok()??;
    let kind = utf8(kind.cast::<PyString>().ok()?).into_owned();
    Some(match &*kind {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "abort" => {
            // With a status the engine refused or gave up; without one it was asked to.
            let status = told.get_item(intern!(told.py(), "status_code")).ok().flatten();
            if status.is_some_and(|status| !status.is_none()) { FinishReason::Error } else { FinishReason::Abort }
        }
        _ => {
            count_fault();
            return None;
        }
    })
}

#[pyfunction]
pub(crate) fn sglang_front(batch: &Bound<'_, PyAny>, states: &Bound<'_, PyAny>) {
    quietly(|| {
        let t_ns = now_ns();
        let py = batch.py();
        let pools = attribute(batch, intern!(py, "embeddings")).is_some();
        let reasons = batch.getattr(intern!(py, "finished_reasons"))?;
        let mut seen = Vec::new();
        for (id, reason) in batch.getattr(intern!(py, "rids"))?.try_iter()?.zip(reasons.try_iter()?) {
            let (id, reason) = (id?, reason?);
            let finish = match finish_reason(&reason) {
                Some(FinishReason::Length) if pools => Some(FinishReason::Stop),
                reason => reason,
            };
            // What the front end forgot was aborted, and its end told then.
            let Ok(state) = states.get_item(&id) else { continue };
            let first = !has_first_token(&state);
            if (first || finish.is_some())
                && let Some(key) = client_key(&id)
            {
                seen.push(FrontOutput { key, first, finish });
            }
        }
        tell(t_ns, &seen);
        Ok(())
    });
}

/// Whether a `ReqState` has had an output: the time is its own or, since 0.5.10, in its `time_stats`; 0 before it.
fn has_first_token(state: &Bound<'_, PyAny>) -> bool {
    let py = state.py();
    let stats = attribute(state, intern!(py, "time_stats"));
    let time = attribute(stats.as_ref().unwrap_or(state), intern!(py, "first_token_time"));
    time.and_then(|time| time.extract::<f64>().ok()).is_some_and(|time| time > 0.0)
}

#[pyfunction]
pub(crate) fn sglang_front_abort(rid: &Bound<'_, PyAny>, reason: &Bound<'_, PyAny>) {
    quietly(|| {
        let t_ns = now_ns();
        let finish = Some(finish_reason(reason).unwrap_or(FinishReason::Abort));
        let seen: Vec<_> = client_key(rid).map(|key| FrontOutput { key, first: false, finish }).into_iter().collect();
        tell(t_ns, &seen);
        Ok(())
    });
}

fn tell(t_ns: u64, seen: &[FrontOutput]) {
    if !seen.is_empty() {
        write(&Record::FrontOutputs(FrontOutputs { t_ns, outputs: Cow::Borrowed(seen) }));
    }
}
