//! The front end: sequences handed to the engine, and what comes back.

use std::borrow::Cow;

use pyo3::intern;
use pyo3::prelude::*;
use tachograph_ring::record::{
    FinishReason, FrontOutput, FrontOutputs, Record, SamplingParams, SequenceAbort, SequenceAdd, SequenceKey,
    SequenceKind,
};

use crate::argument::{Int, Real, Text, attribute, finish_reason, key};
use crate::guest::{content, now_ns, quietly, write};
use crate::output::Layout;
use crate::text::TEXT_LIMIT;

/// Most stop strings kept, and bytes of each: OpenAI's API allows four.
const STOP_LIMIT: usize = 16;
const STOP_TEXT_LIMIT: usize = 256;

#[pyfunction]
#[pyo3(signature = (*, http_id, arrival_time, internal_id, external_id, parent_id, index, prompt_tokens, pool, model,
    n, max_tokens, temperature, top_p, top_k, seed, frequency_penalty, presence_penalty, stop))]
#[allow(clippy::too_many_arguments, reason = "named one by one in Python")]
pub(crate) fn sequence_add(
    http_id: Int,
    arrival_time: Real,
    internal_id: Text<'_>,
    external_id: Text<'_>,
    parent_id: Text<'_>,
    index: Int,
    prompt_tokens: Int,
    pool: bool,
    model: Text<'_>,
    n: Int,
    max_tokens: Int,
    temperature: Real,
    top_p: Real,
    top_k: Int,
    seed: Int,
    frequency_penalty: Real,
    presence_penalty: Real,
    stop: &Bound<'_, PyAny>,
) {
    quietly(|| {
        let t_ns = now_ns();
        let stop = if content() { stop_strings(stop)? } else { Vec::new() };
        let stop: Vec<_> = stop.iter().map(|text| text.get(STOP_TEXT_LIMIT)).collect();
        write(&Record::SequenceAdd(SequenceAdd {
            t_ns,
            arrival_time: arrival_time.0.unwrap_or(0.0),
            http_id: http_id.ordinal(),
            // Whole, since its hash is the sequence's key.
            internal_id: &internal_id.get(usize::MAX),
            external_id: &external_id.get(TEXT_LIMIT),
            parent_id: &parent_id.get(usize::MAX),
            index: index.count(),
            prompt_tokens: prompt_tokens.count(),
            kind: if pool { SequenceKind::Pool } else { SequenceKind::Generate },
            model: &model.get(TEXT_LIMIT),
            params: SamplingParams {
                n: n.count(),
                max_tokens: max_tokens.0.map(|_| max_tokens.count()),
                temperature: temperature.0,
                top_p: top_p.0,
                top_k: top_k.0,
                seed: seed.0,
                frequency_penalty: frequency_penalty.0,
                presence_penalty: presence_penalty.0,
                stop: stop.iter().map(|text| &**text).collect(),
            },
        }));
        Ok(())
    });
}

fn stop_strings<'py>(stop: &Bound<'py, PyAny>) -> PyResult<Vec<Text<'py>>> {
    if stop.is_none() {
        return Ok(Vec::new());
    }
    stop.try_iter()?.take(STOP_LIMIT).map(|text| Ok(text?.extract()?)).collect()
}

#[pyfunction]
pub(crate) fn front_outputs(outputs: &Bound<'_, PyAny>, stopped: &Bound<'_, PyAny>) {
    quietly(|| {
        let t_ns = now_ns();
        let mut seen = Vec::new();
        let mut layout = None;
        for output in outputs.try_iter()? {
            let output = output?;
            let layout = *layout.get_or_insert_with(|| Layout::of(&output));
            seen.extend(front_output(&output, layout));
        }
        if !stopped.is_none() {
            for id in stopped.try_iter()? {
                let Some(key) = key(&id?) else { continue };
                match seen.iter_mut().find(|output| output.key == key) {
                    Some(output) => output.finish = Some(FinishReason::Stop),
                    None => seen.push(FrontOutput { key, first: false, finish: Some(FinishReason::Stop) }),
                }
            }
        }
        if !seen.is_empty() {
            write(&Record::FrontOutputs(FrontOutputs { t_ns, outputs: Cow::Borrowed(&seen) }));
        }
        Ok(())
    });
}

/// An output that is the first or the last of its sequence.
fn front_output(output: &Bound<'_, PyAny>, layout: Layout) -> Option<FrontOutput> {
    let py = output.py();
    let first = layout.is_first(output);
    let finish = attribute(output, intern!(py, "finish_reason")).as_ref().and_then(finish_reason);
    if !first && finish.is_none() {
        return None;
    }
    let key = attribute(output, intern!(py, "request_id")).as_ref().and_then(key)?;
    Some(FrontOutput { key, first, finish })
}

#[pyfunction]
pub(crate) fn sequence_abort(ids: &Bound<'_, PyAny>) {
    quietly(|| {
        let t_ns = now_ns();
        let keys: Vec<SequenceKey> =
            ids.try_iter()?.filter_map(|id| id.map(|id| key(&id)).transpose()).collect::<PyResult<_>>()?;
        if !keys.is_empty() {
            write(&Record::SequenceAbort(SequenceAbort { t_ns, keys: Cow::Owned(keys) }));
        }
        Ok(())
    });
}
