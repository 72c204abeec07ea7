// How to put the agent in front of the next engine: lines to copy, with the addresses that this server has.
import type { OtlpAddresses } from './api/types.ts';

export type Attachment = { title: string; says: string; lines: readonly string[] };

/** Where OpenTelemetry looks when nothing is set. */
const DEFAULT_GRPC_PORT = '4317';

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}

export function attachments(otlp: OtlpAddresses): Attachment[] {
  const grpc = portOf(otlp.grpc);
  const isDefault = grpc === DEFAULT_GRPC_PORT;
  const local = `OTEL_EXPORTER_OTLP_ENDPOINT=http://${otlp.grpc}`;
  const here = isDefault ? [] : [`export ${local}`];
  const found = isDefault ? 'The recorder finds this server by itself.' : 'The address is that of this server.';
  const port = (option: string) => (isDefault ? '' : `${option} ${local} `);
  return [
    {
      title: 'vLLM on this machine',
      says: `Your command with one word in front. ${found}`,
      lines: [...here, 'tachograph-instrument vllm serve Qwen/Qwen3-8B'],
    },
    {
      title: 'SGLang on this machine',
      says: `The same word, the same settings. ${found}`,
      lines: [...here, 'tachograph-instrument python -m sglang.launch_server --model-path Qwen/Qwen3-8B'],
    },
    {
      title: 'In a container',
      says: 'In an image with the wheel. This server listens on loopback only: the container shares the host’s net.',
      lines: [
        `docker run --gpus all --network host ${port('-e')}--entrypoint tachograph-instrument \\`,
        '  IMAGE vllm serve Qwen/Qwen3-8B',
      ],
    },
    {
      title: 'On another machine',
      says: 'A tunnel from there: without keys this server is not reachable from outside.',
      lines: [
        `ssh -N -R ${DEFAULT_GRPC_PORT}:${otlp.grpc} gpu-host    # here`,
        'tachograph-instrument vllm serve Qwen/Qwen3-8B    # on gpu-host',
      ],
    },
    {
      title: 'To another backend',
      says: 'Any that takes OTLP; the settings are those of OpenTelemetry. Nothing then arrives here.',
      lines: [
        'export OTEL_EXPORTER_OTLP_ENDPOINT=https://otlp.example.com',
        'export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
        "export OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20KEY'",
        'tachograph-instrument vllm serve Qwen/Qwen3-8B',
      ],
    },
  ];
}
