//! The V0 engine of vLLM: its steps are lists of sequence groups, each of one sequence, and what a step gave to a
//! sequence is how much longer its output became.

use std::borrow::Cow;

use pyo3::intern;
use pyo3::prelude::*;
use tachograph_ring::record::{FinishReason, Member, Record, SequenceKey, Step, StepOutput, StepOutputs};

use crate::argument::{Int, Real, Text, int_attribute, key};
use crate::guest::{now_ns, quietly, write};

/// What we keep on a SequenceGroup: output tokens that were told, or [`ENDED`].
const TOLD: &str = "_tachograph_told";
/// The end was told; what comes after it was computed for nothing, a step ahead.
const ENDED: i64 = -1;

#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "named one by one in Python")]
pub(crate) fn v0_step(
    start_ns: Int,
    engine_index: Int,
    step: Int,
    groups: &Bound<'_, PyAny>,
    prefills: Int,
    lookahead: Int,
    running: Int,
    waiting: Int,
    kv_usage: Real,
) -> u64 {
    quietly(|| {
        let t_ns = start_ns.ordinal();
        let schedule_ns = u32::try_from(now_ns().saturating_sub(t_ns)).unwrap_or(u32::MAX);
        let mut members = Vec::with_capacity(groups.len()?);
        let (prefills, mut prompt_tokens) = (prefills.count() as usize, 0);
        for (index, group) in groups.try_iter()?.enumerate() {
            let (key, chunk) = member(&group?)?;
            let is_prefill = index < prefills;
            prompt_tokens += if is_prefill { u64::from(chunk) } else { 0 };
            let tokens = if is_prefill { chunk } else { chunk.saturating_add(lookahead.count()) };
            members.extend(key.map(|key| Member { key, tokens }));
        }
        #[allow(clippy::cast_possible_truncation, reason = "a share from 0 to 1 needs no more than an f32")]
        let kv_usage = kv_usage.0.unwrap_or(0.0) as f32;
        write(&Record::Step(Step {
            t_ns,
            schedule_ns,
            engine_index: engine_index.count(),
            step: step.ordinal(),
            running: running.count(),
            waiting: waiting.count(),
            deferred: 0,
            kv_usage,
            members: Cow::Borrowed(&members),
        }));
        Ok(prompt_tokens)
    })
}

/// Sequence and chunk of a ScheduledSequenceGroup.
fn member(group: &Bound<'_, PyAny>) -> PyResult<(Option<SequenceKey>, u32)> {
    let py = group.py();
    let id = group.getattr(intern!(py, "seq_group"))?.getattr(intern!(py, "request_id"))?;
    Ok((key(&id), int_attribute(group, intern!(py, "token_chunk_size")).count()))
}

#[pyfunction]
pub(crate) fn v0_step_outputs(engine_index: Int, step: Int, groups: &Bound<'_, PyAny>, only: Option<Text<'_>>) {
    quietly(|| {
        let t_ns = now_ns();
        let mut outputs = Vec::with_capacity(groups.len()?);
        for group in groups.try_iter()? {
            let group = group?.getattr(intern!(groups.py(), "seq_group"))?;
            let id = group.getattr(intern!(groups.py(), "request_id"))?;
            let is_meant = match &only {
                Some(only) => id.extract::<Text<'_>>()?.get(usize::MAX) == only.get(usize::MAX),
                None => true,
            };
            if is_meant && let Some(key) = key(&id) {
                outputs.extend(output(&group, key)?);
            }
        }
        if !outputs.is_empty() {
            write(&Record::StepOutputs(StepOutputs {
                t_ns,
                engine_index: engine_index.count(),
                step: step.ordinal(),
                prefix_queries: 0,
                prefix_hits: 0,
                outputs: Cow::Borrowed(&outputs),
            }));
        }
        Ok(())
    });
}

/// What the sequence of a SequenceGroup got since it was told last; absent when that is nothing.
fn output(group: &Bound<'_, PyAny>, key: SequenceKey) -> PyResult<Option<StepOutput>> {
    let py = group.py();
    let told = int_attribute(group, intern!(py, TOLD)).0.unwrap_or(0);
    let sequence = group.getattr(intern!(py, "first_seq"))?;
    let status = status(&sequence.getattr(intern!(py, "status"))?)?;
    if told == ENDED || status == Status::Aborted {
        return Ok(None);
    }
    let data = sequence.getattr(intern!(py, "data"))?;
    let length = i64::try_from(data.getattr(intern!(py, "_output_token_ids"))?.len()?).unwrap_or(i64::MAX);
    let finish = match status {
        Status::Finished(reason) => Some(reason),
        _ => None,
    };
    let tokens = u32::try_from(length.saturating_sub(told)).unwrap_or(0);
    if tokens == 0 && finish.is_none() {
        return Ok(None);
    }
    group.setattr(intern!(py, TOLD), if finish.is_some() { ENDED } else { length })?;
    let cached_tokens = (told == 0).then(|| int_attribute(&data, intern!(py, "_num_cached_tokens")).count());
    Ok(Some(StepOutput { key, tokens, cached_tokens, finish }))
}

/// Where a sequence is, as far as outputs go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Waiting, running or swapped out.
    Open,
    /// It ended in a step.
    Finished(FinishReason),
    /// It was ended from outside, which is told where that happens.
    Aborted,
}

/// A `SequenceStatus` (vllm/sequence.py; the numbers are the same in all releases of V0 since 0.6).
fn status(value: &Bound<'_, PyAny>) -> PyResult<Status> {
    Ok(match value.extract::<i64>()? {
        3 => Status::Finished(FinishReason::Stop),
        4 | 6 => Status::Finished(FinishReason::Length),
        5 => Status::Aborted,
        _ => Status::Open,
    })
}
