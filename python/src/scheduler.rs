//! The engine core: its queue, its steps and what they put out.

use std::borrow::Cow;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use tachograph_ring::record::{
    Engine, Figure, Finished, Member, Preempted, Quantity, Queued, Record, Sample, Step, StepOutput, StepOutputs,
};

use crate::argument::{Int, Real, Text, attribute, finish_reason, int_attribute, key};
use crate::finish;
use crate::guest::{now_ns, quietly, write};
use crate::output::Layout;
use crate::text::TEXT_LIMIT;

/// Most names kept under which a model is served.
const MODEL_LIMIT: usize = 64;

#[pyfunction]
#[pyo3(signature = (*, engine_index, served_models, max_model_len, max_num_seqs, max_num_batched_tokens,
    num_gpu_blocks, block_size))]
pub(crate) fn engine(
    engine_index: Int,
    served_models: &Bound<'_, PyAny>,
    max_model_len: Int,
    max_num_seqs: Int,
    max_num_batched_tokens: Int,
    num_gpu_blocks: Int,
    block_size: Int,
) {
    quietly(|| {
        let models: Vec<Text<'_>> =
            served_models.try_iter()?.take(MODEL_LIMIT).map(|m| Ok(m?.extract()?)).collect::<PyResult<_>>()?;
        let models: Vec<_> = models.iter().map(|model| model.get(TEXT_LIMIT)).collect();
        write(&Record::Engine(Engine {
            t_ns: now_ns(),
            engine_index: engine_index.count(),
            served_models: models.iter().map(|model| &**model).collect(),
            max_model_len: max_model_len.count(),
            max_num_seqs: max_num_seqs.count(),
            max_num_batched_tokens: max_num_batched_tokens.count(),
            num_gpu_blocks: num_gpu_blocks.count(),
            block_size: block_size.count(),
        }));
        Ok(())
    });
}

#[pyfunction]
pub(crate) fn queued(internal_id: &Bound<'_, PyAny>, engine_index: Int, depth: Int) {
    quietly(|| {
        let t_ns = now_ns();
        if let Some(key) = key(internal_id) {
            let (engine_index, depth) = (engine_index.count(), depth.count());
            write(&Record::Queued(Queued { t_ns, key, engine_index, depth }));
        }
        Ok(())
    });
}

#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "named one by one in Python")]
pub(crate) fn step(
    start_ns: Int,
    engine_index: Int,
    step: Int,
    num_scheduled_tokens: &Bound<'_, PyAny>,
    running: Int,
    waiting: Int,
    deferred: Int,
    kv_usage: Real,
) {
    quietly(|| {
        let t_ns = start_ns.ordinal();
        let schedule_ns = u32::try_from(now_ns().saturating_sub(t_ns)).unwrap_or(u32::MAX);
        let members = members(num_scheduled_tokens)?;
        #[allow(clippy::cast_possible_truncation, reason = "a share from 0 to 1 needs no more than an f32")]
        let kv_usage = kv_usage.0.unwrap_or(0.0) as f32;
        write(&Record::Step(Step {
            t_ns,
            schedule_ns,
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

/// The batch: tokens by internal request id.
fn members(tokens: &Bound<'_, PyAny>) -> PyResult<Vec<Member>> {
    let mut members = Vec::with_capacity(tokens.len()?);
    let mut add = |id: &Bound<'_, PyAny>, tokens: &Bound<'_, PyAny>| -> PyResult<()> {
        let tokens = tokens.extract::<Int>()?.count();
        members.extend(key(id).map(|key| Member { key, tokens }));
        Ok(())
    };
    if let Ok(tokens) = tokens.cast::<PyDict>() {
        for (id, tokens) in tokens.iter() {
            add(&id, &tokens)?;
        }
    } else {
        for item in tokens.cast::<PyMapping>()?.items()?.iter() {
            add(&item.get_item(0)?, &item.get_item(1)?)?;
        }
    }
    Ok(members)
}

#[pyfunction]
pub(crate) fn preempted(internal_id: &Bound<'_, PyAny>, engine_index: Int) {
    quietly(|| {
        let t_ns = now_ns();
        if let Some(key) = key(internal_id) {
            write(&Record::Preempted(Preempted { t_ns, key, engine_index: engine_index.count() }));
        }
        Ok(())
    });
}

#[pyfunction]
pub(crate) fn step_outputs(engine_index: Int, step: Int, by_client: &Bound<'_, PyAny>) {
    quietly(|| {
        let t_ns = now_ns();
        let mut outputs = Vec::new();
        let (mut prefix_queries, mut prefix_hits) = (0, 0);
        for client in by_client.cast::<PyMapping>()?.values()?.iter() {
            if let Some(prefix) = prefix_stats(&client) {
                prefix_queries += int_attribute(&prefix, intern!(prefix.py(), "queries")).ordinal();
                prefix_hits += int_attribute(&prefix, intern!(prefix.py(), "hits")).ordinal();
            }
            let Some(of_client) = attribute(&client, intern!(client.py(), "outputs")) else { continue };
            outputs.reserve(of_client.len().unwrap_or(0));
            let mut layout = None;
            for output in of_client.try_iter()? {
                let output = output?;
                let layout = *layout.get_or_insert_with(|| Layout::of(&output));
                outputs.extend(step_output(&output, layout));
            }
        }
        write(&Record::StepOutputs(StepOutputs {
            t_ns,
            engine_index: engine_index.count(),
            step: step.ordinal(),
            prefix_queries,
            prefix_hits,
            outputs: Cow::Borrowed(&outputs),
        }));
        Ok(())
    });
}

fn prefix_stats<'py>(client: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let stats = attribute(client, intern!(client.py(), "scheduler_stats"))?;
    attribute(&stats, intern!(client.py(), "prefix_cache_stats"))
}

/// What one sequence got; absent when that is nothing.
fn step_output(output: &Bound<'_, PyAny>, layout: Layout) -> Option<StepOutput> {
    let py = output.py();
    let tokens = attribute(output, intern!(py, "new_token_ids")).and_then(|ids| ids.len().ok()).unwrap_or(0);
    let finish = attribute(output, intern!(py, "finish_reason")).as_ref().and_then(finish_reason);
    if tokens == 0 && finish.is_none() {
        return None;
    }
    let key = attribute(output, intern!(py, "request_id")).as_ref().and_then(key)?;
    let cached_tokens = layout.cached_tokens(output);
    Some(StepOutput { key, tokens: u32::try_from(tokens).unwrap_or(u32::MAX), cached_tokens, finish })
}

#[pyfunction]
pub(crate) fn finished(ids: &Bound<'_, PyAny>, engine_index: Int, reason: Text<'_>) {
    quietly(|| {
        let t_ns = now_ns();
        let reason =
            finish::from_name(&reason.get(TEXT_LIMIT)).ok_or_else(|| PyValueError::new_err("unknown finish reason"))?;
        let engine_index = engine_index.count();
        for id in ids.try_iter()? {
            if let Some(key) = key(&id?) {
                write(&Record::Finished(Finished { t_ns, key, engine_index, reason }));
            }
        }
        Ok(())
    });
}

#[pyfunction]
pub(crate) fn sample(engine_index: Int, figures: &Bound<'_, PyDict>) {
    quietly(|| {
        let t_ns = now_ns();
        let mut known = Vec::with_capacity(figures.len());
        for (name, value) in figures.iter() {
            let quantity = quantity(&name.extract::<Text<'_>>()?.get(TEXT_LIMIT))
                .ok_or_else(|| PyValueError::new_err("unknown quantity"))?;
            if let Some(value) = value.extract::<Real>()?.0 {
                known.push(Figure { quantity, value });
            }
        }
        let engine_index = engine_index.count();
        write(&Record::Sample(Sample { t_ns, engine_index, figures: Cow::Borrowed(&known) }));
        Ok(())
    });
}

fn quantity(name: &str) -> Option<Quantity> {
    Some(match name {
        "swapped" => Quantity::Swapped,
        "cpu_kv_usage" => Quantity::CpuKvUsage,
        "prompt_tokens" => Quantity::PromptTokens,
        "used_tokens" => Quantity::UsedTokens,
        "token_usage" => Quantity::TokenUsage,
        "gen_throughput" => Quantity::GenThroughput,
        "cache_hit_rate" => Quantity::CacheHitRate,
        "spec_accept_length" => Quantity::SpecAcceptLength,
        "stat_reports" => Quantity::StatReports,
        _ => return None,
    })
}
