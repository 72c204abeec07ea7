from vllm.v1.engine.output_processor import OutputProcessor


class AsyncLLM:
    def __init__(self, vllm_config, executor_class, log_stats, *, log_requests=True):
        self.output_processor = OutputProcessor(None, log_stats=log_stats)
