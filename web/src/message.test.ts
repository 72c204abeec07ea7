import { describe, expect, it } from 'vitest';
import type { RequestDetail } from './api/types.ts';
import { messagesOf, toolsOf } from './message.ts';
import { originalCurl } from './original.ts';
import { aRow, aSpan } from './row.fixture.ts';

describe('messages', () => {
  it('keep reasoning, text and tool calls apart', () => {
    const [message] = messagesOf(
      [
        {
          role: 'assistant',
          finish_reason: 'stop',
          parts: [
            { type: 'reasoning', content: 'hm' },
            { type: 'text', content: 'yes' },
            { type: 'tool_call', id: 'c1', name: 'weather', arguments: { city: 'Oslo' } },
          ],
        },
      ],
      'assistant',
    );
    expect(message?.finish).toBe('stop');
    expect(message?.parts.map((part) => part.kind)).toEqual(['reasoning', 'text', 'call']);
    expect(message?.parts[2]).toMatchObject({ name: 'weather', text: '{\n  "city": "Oslo"\n}' });
  });

  it('that were cut, and so are no JSON any more, are shown as the text they are', () => {
    expect(messagesOf('[{"role":"user","parts":[{"ty', 'user')).toEqual([
      { role: 'user', parts: [{ kind: 'text', text: '[{"role":"user","parts":[{"ty' }], finish: null },
    ]);
  });

  it.each([[null], [undefined], [[]]])('that are not there (%s) are none', (value) => {
    expect(messagesOf(value, 'user')).toEqual([]);
  });

  it.each([[42], [[null]], [[{}]], [[{ role: 7, parts: 'x' }]], [[[1, 2]]]])(
    'of no known shape (%j) do no harm',
    (value) => {
      expect(() => messagesOf(value, 'user')).not.toThrow();
      expect(messagesOf(value, 'user')).toHaveLength(1);
    },
  );

  it('read system instructions, which are bare parts', () => {
    expect(messagesOf([{ type: 'text', content: 'be brief' }], 'system')).toEqual([
      { role: 'system', parts: [{ kind: 'text', text: 'be brief' }], finish: null },
    ]);
  });

  it('name the tools that were offered in either shape', () => {
    const tools = [{ name: 'a' }, { type: 'function', function: { name: 'b', description: 'B' } }, 3];
    expect(toolsOf(tools).map((tool) => tool.name)).toEqual(['a', 'b', 'tool']);
    expect(toolsOf(null)).toEqual([]);
  });
});

describe('the original request', () => {
  const detail = (fields: Partial<RequestDetail> = {}): RequestDetail => ({
    request: aRow({ span_id: 'op', model: 'm' }),
    spans: [
      aSpan({
        span_id: 'http',
        stage: 'http',
        attributes: { 'url.path': '/v1/chat/completions', 'server.port': 8001 },
      }),
      aSpan({ span_id: 'op', attributes: { 'gen_ai.request.temperature': 0, 'gen_ai.request.stream': true } }),
    ],
    tokens: [],
    messages: {
      system: [{ type: 'text', content: 'be brief' }],
      input: [{ role: 'user', parts: [{ type: 'text', content: "it's me" }] }],
      output: null,
      tools: null,
    },
    ...fields,
  });

  it('can be sent again from a shell', () => {
    const command = originalCurl(detail()) ?? '';
    expect(command).toContain("curl -s 'http://localhost:8001/v1/chat/completions'");
    const body = /-d '([\s\S]*)'$/.exec(command)?.[1]?.replaceAll(`'\\''`, "'") ?? '';
    expect(JSON.parse(body)).toEqual({
      model: 'm',
      messages: [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: "it's me" },
      ],
      temperature: 0,
      stream: true,
    });
  });

  it('of a completion has a prompt', () => {
    const command = originalCurl(detail({ request: aRow({ span_id: 'op', operation: 'text_completion' }) }));
    expect(command).toContain('"prompt": "it\'\\\'\'s me"');
  });

  it('is not made up where its content was not captured', () => {
    expect(originalCurl(detail({ messages: { input: null, output: null, system: null, tools: null } }))).toBeNull();
  });
});
