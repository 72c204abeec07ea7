// The request that the client sent, as far as it was captured, as a curl command to send it again.
import type { RequestDetail, Span } from './api/types.ts';
import { messagesOf, type Message, type Part } from './message.ts';

/** Attributes of the operation and the names of the same in the OpenAI API. */
const PARAMETERS: readonly (readonly [attribute: string, parameter: string])[] = [
  ['gen_ai.request.max_tokens', 'max_tokens'],
  ['gen_ai.request.temperature', 'temperature'],
  ['gen_ai.request.top_p', 'top_p'],
  ['gen_ai.request.top_k', 'top_k'],
  ['gen_ai.request.seed', 'seed'],
  ['gen_ai.request.stop_sequences', 'stop'],
  ['gen_ai.request.frequency_penalty', 'frequency_penalty'],
  ['gen_ai.request.presence_penalty', 'presence_penalty'],
  ['gen_ai.request.choice.count', 'n'],
  ['gen_ai.request.stream', 'stream'],
];

function text(parts: readonly Part[]): string {
  return parts.flatMap((part) => (part.kind === 'text' ? [part.text] : [])).join('\n');
}

function openAi(message: Message): object {
  const response = message.parts.find((part) => part.kind === 'response');
  if (response) return { role: 'tool', tool_call_id: response.id, content: response.text };
  const calls = message.parts.flatMap((part) =>
    part.kind === 'call'
      ? [{ id: part.id, type: 'function', function: { name: part.name, arguments: part.text } }]
      : [],
  );
  return { role: message.role, content: text(message.parts), ...(calls.length > 0 ? { tool_calls: calls } : {}) };
}

function address(http: Span | undefined, fallback: string): string {
  const get = (name: string) => http?.attributes[name];
  const host = typeof get('server.address') === 'string' ? get('server.address') : 'localhost';
  const port = typeof get('server.port') === 'number' ? get('server.port') : 8000;
  const path = typeof get('url.path') === 'string' ? get('url.path') : fallback;
  return `http://${String(host)}:${String(port)}${String(path)}`;
}

/** The command, or null where the content was not captured: half a request is none. */
export function originalCurl(detail: RequestDetail): string | null {
  const { request, spans, messages } = detail;
  const input = messagesOf(messages.input, 'user');
  if (input.length === 0) return null;
  const operation = spans.find((span) => span.span_id === request.span_id);
  const http = spans.find((span) => span.stage === 'http');
  const isChat = request.operation === 'chat';
  const system = messagesOf(messages.system, 'system').map((message) => ({ ...message, role: 'system' }));
  const body: Record<string, unknown> = { model: request.model };
  if (isChat) body['messages'] = [...system, ...input].map(openAi);
  else if (request.operation === 'embeddings') body['input'] = input.map((message) => text(message.parts));
  else body['prompt'] = input.map((message) => text(message.parts)).join('\n');
  if (Array.isArray(messages.tools) && messages.tools.length > 0) body['tools'] = messages.tools;
  for (const [attribute, parameter] of PARAMETERS) {
    const value = operation?.attributes[attribute];
    if (value !== undefined && value !== null) body[parameter] = value;
  }
  const url = address(http, isChat ? '/v1/chat/completions' : '/v1/completions');
  // A quote inside quotes of the shell.
  const json = JSON.stringify(body, null, 2).replace(/'/g, `'\\''`);
  return `curl -s '${url}' -H 'content-type: application/json' -d '${json}'`;
}
