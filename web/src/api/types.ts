/** One request in a list: the entry span of an operation with its key figures. */
export type RequestRow = {
  trace_id: string;
  span_id: string;
  start_ms: number;
  duration_s: number;
  operation: string;
  model: string;
  service: string;
  instance: string;
  engine_index: number | null;
  status: RequestStatus;
  error_type: string | null;
  http_status: number | null;
  stream: boolean;
  choices: number;
  finish_reasons: Array<string>;
  input_tokens: number | null;
  cached_tokens: number | null;
  output_tokens: number | null;
  reasoning_tokens: number | null;
  ttft_s: number | null;
  tpot_s: number | null;
  e2e_s: number | null;
  queue_s: number | null;
  prefill_s: number | null;
  decode_s: number | null;
  preemptions: number;
  queue_depth: number | null;
  response_id: string | null;
};

export type RequestStatus = 'ok' | 'aborted' | 'refused' | 'failed' | 'engine_died';

export type RequestPage = { rows: Array<RequestRow>; total: number; next_offset: number | null };

export type RequestDetail = {
  request: RequestRow;
  spans: Array<Span>;
  tokens: Array<ChoiceTokens>;
  messages: Messages;
};

export type Span = {
  span_id: string;
  parent_span_id: string | null;
  name: string;
  kind: string;
  stage: Stage;
  start_ms: number;
  duration_s: number;
  error: string | null;
  attributes: { [key in string]: Json };
  resource: { [key in string]: Json };
  events: Array<SpanEvent>;
  dropped_events: number;
};

export type Json = unknown;

export type Stage = 'http' | 'operation' | 'request' | 'wait' | 'prefill' | 'decode' | 'reasoning' | 'other';

export type SpanEvent = { name: string; time_ms: number; attributes: { [key in string]: Json } };

export type ChoiceTokens = {
  choice: number;
  span_id: string;
  start_ms: number;
  offsets_s: Array<number>;
  total: number;
};

export type Messages = { input: Json | null; output: Json | null; system: Json | null; tools: Json | null };

export type SeriesSet = { times_ms: Array<number>; step_ms: number; series: Array<Series> };

export type Series = {
  name: string;
  stat: string;
  labels: { [key in string]: string };
  unit: string;
  values: Array<number | null>;
};

export type Facets = { facets: { [key in string]: Array<FacetValue> } };

export type FacetValue = { value: string; count: number };

export type Status = {
  version: string;
  start_ms: number;
  received: { [key in string]: number };
  refused: { [key in string]: number };
  stored: { [key in string]: number };
  disk_bytes: number;
  last_received_ms: number | null;
};

export type ErrorBody = { error: ApiError };

export type ApiError = { code: string; message: string; hint: string; field: string | null };
