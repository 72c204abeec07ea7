import { expect, it } from 'vitest';
import { attachments } from './attach.ts';

const text = (grpc: string) => attachments({ grpc, http: '127.0.0.1:4318' }).map((each) => each.lines.join('\n'));

it('on the usual port nothing is to be set', () => {
  const [vllm, sglang] = text('127.0.0.1:4317');
  expect(vllm).toBe('tachograph-instrument vllm serve Qwen/Qwen3-8B');
  expect(sglang).toMatch(/^tachograph-instrument python -m sglang.launch_server /);
});

it('another port stands in every command that sends here', () => {
  const [vllm, sglang, container, tunnel, backend] = text('127.0.0.1:41234');
  for (const line of [vllm, sglang, container]) expect(line).toContain('http://127.0.0.1:41234');
  expect(tunnel).toContain('-R 4317:127.0.0.1:41234');
  expect(backend).not.toContain('127.0.0.1');
});
