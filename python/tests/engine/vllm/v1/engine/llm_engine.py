from vllm.v1.engine.output_processor import OutputProcessor


class LLMEngine:
    def __init__(self, vllm_config, executor_class, log_stats):
        self.output_processor = OutputProcessor(None, log_stats=log_stats)
