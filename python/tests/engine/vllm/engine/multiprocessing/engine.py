from vllm.engine.llm_engine import LLMEngine


class MQLLMEngine:
    def __init__(self, ipc_path, use_async_sockets, *args, log_requests=True, **kwargs):
        self.engine = LLMEngine(*args, **kwargs)
