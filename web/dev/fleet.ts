// The made-up engines and their agents, and what their own metrics say.
import { METRICS } from '../src/api/metrics.ts';
import type { Agents, Engines, RequestRow } from '../src/api/types.ts';
import { load } from './traffic.ts';

const INSTANCES = ['gpu-a:8000', 'gpu-b:8000'];

type Span = { from: number; to: number };

export function engines(now: number, at: Span): Engines {
  if (at.to < now - 60_000) return { engines: [] };
  const busy = load(now);
  return {
    engines: INSTANCES.map((instance, index) => ({
      service: 'chat-prod',
      instance,
      engine_index: 0,
      model: 'Qwen/Qwen3-8B',
      line: 'vllm_v1',
      version: '0.32.0',
      host: instance.slice(0, 5),
      running: Math.round(40 * busy) + index,
      waiting: busy > 0.72 ? 6 : 0,
      kv_usage: busy * 0.9,
      generation_tokens_per_s: 900 + 120 * index,
      ttft_p50_s: 0.061,
      last_ms: now - 2000 - index * 700,
    })),
  };
}

const HOOKS = ['Scheduler.schedule', 'Scheduler.add_request', 'Scheduler.update_from_output'];

export function agents(now: number, at: Span): Agents {
  if (at.to < now - 60_000) return { agents: [] };
  return {
    agents: INSTANCES.map((instance, index) => ({
      service: 'chat-prod',
      instance,
      host: instance.slice(0, 5),
      engine: 'vllm',
      engine_version: '0.32.0',
      engine_generation: 'v1',
      agent_version: '0.1.0',
      last_ms: now - 2000,
      processes: [
        { pid: 211, role: 'api_server', python: '3.12.4', ring_usage: 0.02 },
        { pid: 240, role: 'engine_core', python: '3.12.4', ring_usage: 0.11 + index * 0.5 },
      ],
      probes: HOOKS.map((hook, at) => ({
        name: `vllm.v1.core.sched.scheduler.${hook}`,
        state: index === 1 && at === 1 ? 'missing' : 'live',
        detail: index === 1 && at === 1 ? 'when sequences are queued' : '',
        role: 'engine_core',
        pids: [240],
      })),
      records_produced: 182_000,
      records_read: 181_990,
      records_suppressed: 0,
      requests: { ok: 4100, aborted: 31 },
      exports: [
        { unit: 'points', produced: 41_000, sent: 41_000, queued: 0, retries: 0 },
        { unit: 'spans', produced: 24_700, sent: 24_660, queued: 40, retries: index },
      ],
      dropped: index === 1 ? [{ unit: 'records', reason: 'ring_full', count: 12 }] : [],
      faults: [],
      lag_s: 0.004,
      recorder_bytes: 23e6,
      price: { cpu_s: 3.1, tokens: 812_000, window_s: 880 },
    })),
  };
}

/** A documented metric in one bucket: times are those of the requests in it, all else follows the load. */
export function metricValue(series: string, rows: readonly RequestRow[], step_s: number, ms: number): number | null {
  const metric = METRICS.find((each) => series === `metric.${each.name}`);
  if (!metric) return null;
  if (metric.unit !== 's') return /usage|rate/.test(metric.name) ? load(ms) * 0.9 : (rows.length / step_s) * 9;
  const times = rows.map((row) => row.queue_s).filter((time) => time !== null);
  return times.length === 0 ? null : times.reduce((sum, time) => sum + time, 0) / times.length;
}
