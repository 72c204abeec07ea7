// What the Setup screen says of an agent, from what it reported.
import type { Agent, AgentPrice, AgentProbe } from './api/types.ts';
import { duration, integer, secondsQuantity } from './number.ts';

/** An agent that has not reported for so long is silent: one and a half of OpenTelemetry's default interval. */
const SILENT_MS = 90_000;

/** Ring fill from which the probes are close to having to drop. */
const RING_WARN = 0.5;
const RING_BAD = 0.9;

export type Level = 'fine' | 'warn' | 'bad';

/** The hooks of the processes of one role. */
export type RoleProbes = {
  role: string;
  live: AgentProbe[];
  /** Missing or removed: something is lost. */
  lost: AgentProbe[];
  notApplicable: AgentProbe[];
};

export function byRole(probes: readonly AgentProbe[]): RoleProbes[] {
  const roles = [...new Set(probes.map((probe) => probe.role))].sort();
  return roles.map((role) => {
    const own = probes.filter((probe) => probe.role === role);
    const of = (...states: string[]) => own.filter((probe) => states.includes(probe.state));
    return { role, live: of('live'), lost: of('missing', 'removed'), notApplicable: of('not_applicable') };
  });
}

/** `vllm.v1.core.sched.scheduler.Scheduler.schedule` → `Scheduler.schedule`. */
export function shortProbe(name: string): string {
  return name.split('.').slice(-2).join('.');
}

export function isSilent(agent: Agent, now: number): boolean {
  return now - agent.last_ms > SILENT_MS;
}

export function ringLevel(usage: number | null): Level {
  if (usage === null || usage < RING_WARN) return 'fine';
  return usage < RING_BAD ? 'warn' : 'bad';
}

/** In one word whether all is well, and why not. */
export function verdict(agent: Agent, now: number): { level: Level; text: string } {
  if (isSilent(agent, now)) return { level: 'bad', text: 'silent' };
  const lost = agent.probes.filter((probe) => probe.state === 'missing' || probe.state === 'removed').length;
  const dropped = agent.dropped.reduce((sum, drop) => sum + drop.count, 0);
  if (lost > 0 || dropped > 0) {
    const parts = [
      ...(lost > 0 ? [`${integer(lost)} ${lost === 1 ? 'hook' : 'hooks'} not live`] : []),
      ...(dropped > 0 ? [`${integer(dropped)} dropped`] : []),
    ];
    return { level: 'warn', text: parts.join(', ') };
  }
  return { level: 'fine', text: 'all well' };
}

/** CPU time of the recorder for a thousand tokens, and as a share of one core. */
export function priceFigures(price: AgentPrice): { perThousand: string; cores: string } {
  const { value, unit } = secondsQuantity((price.cpu_s / price.tokens) * 1000);
  return {
    perThousand: `${value} ${unit}`,
    cores: `${((price.cpu_s / price.window_s) * 100).toFixed(1)} %`,
  };
}

/** What the figure is made of, in full. */
export function priceSays(price: AgentPrice): string {
  const { cpu_s, tokens, window_s } = price;
  return (
    `The recorder’s ${duration(cpu_s)} of CPU time beside ${integer(tokens)} tokens generated in the same ` +
    `${duration(window_s)}. The hooks inside the engine are not in it: \`cargo xtask bench overhead\`.`
  );
}
