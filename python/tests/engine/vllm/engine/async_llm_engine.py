from vllm.engine.llm_engine import LLMEngine


class RequestTracker:
    def __init__(self):
        self.calls = []

    def process_request_output(self, request_output, *, verbose=False):
        self.calls.append(("process_request_output", request_output))

    def abort_request(self, request_id, *, exception=None, verbose=False):
        self.calls.append(("abort_request", request_id))


class AsyncLLMEngine:
    def __init__(self, *args, log_requests=True, start_engine_loop=True, **kwargs):
        self.engine = LLMEngine(*args, **kwargs)
        self.tracker = RequestTracker()

    async def generate(self, prompt, sampling_params, request_id, lora_request=None, trace_headers=None):
        yield request_id

    async def encode(self, prompt, pooling_params, request_id, lora_request=None, trace_headers=None):
        yield request_id
