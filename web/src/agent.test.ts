import { describe, expect, it } from 'vitest';
import { agents } from '../dev/fleet.ts';
import { byRole, priceFigures, ringLevel, shortProbe, verdict } from './agent.ts';

const NOW = Date.UTC(2026, 10, 24, 12);
const [well, ill] = agents(NOW, { from: NOW - 1000, to: NOW }).agents;

describe('an agent', () => {
  it('is well where every hook is live and nothing was dropped', () => {
    expect(well && verdict(well, NOW)).toEqual({ level: 'fine', text: 'all well' });
  });

  it('says what is wrong', () => {
    expect(ill && verdict(ill, NOW)).toEqual({ level: 'warn', text: '1 hook not live, 12 dropped' });
    expect(well && verdict(well, NOW + 120_000)).toEqual({ level: 'bad', text: 'silent' });
  });

  it('tells the hooks that are lost from those that do not apply', () => {
    const [role] = byRole([
      ...(ill?.probes ?? []),
      { name: 'a.b', state: 'not_applicable', detail: 'V0', role: 'engine_core', pids: [1] },
    ]);
    expect([role?.live.length, role?.lost.length, role?.notApplicable.length]).toEqual([2, 1, 1]);
  });
});

it('the price is CPU time over tokens of the same window', () => {
  expect(priceFigures({ cpu_s: 3, tokens: 600_000, window_s: 60 })).toEqual({ perThousand: '5.00 ms', cores: '5.0 %' });
});

it('a ring is marked before it has to drop', () => {
  expect([null, 0.2, 0.6, 0.95].map(ringLevel)).toEqual(['fine', 'fine', 'warn', 'bad']);
});

it('a hook is known by its class and function', () => {
  expect(shortProbe('vllm.v1.core.sched.scheduler.Scheduler.schedule')).toBe('Scheduler.schedule');
});
