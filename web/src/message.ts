// Messages in the shape of the GenAI conventions, read without trust: what is not understood is shown as it is.
import type { Json } from './api/types.ts';

export type Part =
  | { kind: 'text' | 'reasoning'; text: string }
  | { kind: 'call'; id: string; name: string; text: string }
  | { kind: 'response'; id: string; text: string }
  | { kind: 'other'; type: string; text: string };

export type Message = { role: string; parts: Part[]; finish: string | null };

/** A value as an object whose members are not known yet; null when it is none. */
function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** Text as it is, anything else as indented JSON. */
export function show(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value, null, 2);
}

function part(value: unknown): Part {
  const fields = record(value);
  if (!fields) return { kind: 'text', text: show(value) };
  const type = show(fields['type']);
  switch (type) {
    case 'text':
    case 'reasoning':
      return { kind: type, text: show(fields['content'] ?? fields['text']) };
    case 'tool_call':
      return { kind: 'call', id: show(fields['id']), name: show(fields['name']), text: show(fields['arguments']) };
    case 'tool_call_response':
      return { kind: 'response', id: show(fields['id']), text: show(fields['response'] ?? fields['result']) };
    default:
      return { kind: 'other', type: type || 'part', text: show(value) };
  }
}

function parts(value: unknown): Part[] {
  return Array.isArray(value) ? value.map(part) : value === undefined || value === null ? [] : [part(value)];
}

function message(value: unknown, role: string): Message {
  const fields = record(value);
  if (!fields) return { role, parts: [part(value)], finish: null };
  // A bare part (as in system instructions) has a type and no role.
  if (!('role' in fields) && 'type' in fields) return { role, parts: [part(fields)], finish: null };
  return {
    role: show(fields['role']) || role,
    parts: parts(fields['parts'] ?? fields['content']),
    finish: typeof fields['finish_reason'] === 'string' ? fields['finish_reason'] : null,
  };
}

/** The messages of one side; `role` is for those that do not say theirs. */
export function messagesOf(value: Json, role: string): Message[] {
  if (value === null || value === undefined) return [];
  return Array.isArray(value) ? value.map((each) => message(each, role)) : [message(value, role)];
}

/** Names and descriptions of the tools that were offered. */
export function toolsOf(value: Json): { name: string; description: string; text: string }[] {
  if (!Array.isArray(value)) return [];
  return value.map((each: unknown) => {
    const outer = record(each) ?? {};
    const inner = record(outer['function']) ?? outer;
    return { name: show(inner['name']) || 'tool', description: show(inner['description']), text: show(each) };
  });
}
