from collections import deque
from types import SimpleNamespace

from vllm.core.scheduler import Scheduler
from vllm.sequence import SequenceGroup


class SchedulerContext:
    def __init__(self):
        self.output_queue = deque()


class LLMEngine:
    def __init__(self, vllm_config, executor_class, log_stats, usage_context=None, stat_loggers=None):
        self.model_config = vllm_config.model_config
        self.scheduler_config = vllm_config.scheduler_config
        self.cache_config = vllm_config.cache_config
        stages = vllm_config.parallel_config.pipeline_parallel_size
        self.scheduler = [Scheduler(self.scheduler_config, self.cache_config, None) for _ in range(stages)]

    def add_request(self, request_id, prompt=None, params=None, arrival_time=None, lora_request=None):
        self._add_processed_request(
            request_id=request_id,
            processed_inputs=prompt,
            params=params,
            arrival_time=arrival_time,
            lora_request=lora_request,
        )

    def _add_processed_request(
        self, request_id, processed_inputs, params, arrival_time, lora_request, trace_headers=None, priority=0
    ):
        if getattr(params, "n", 1) > 1:
            for index in range(params.n):
                child = SimpleNamespace(**{**vars(params), "n": 1})
                self._add_processed_request(
                    f"{request_id}_parallel_sample_{index}",
                    params=child,
                    processed_inputs=processed_inputs,
                    arrival_time=arrival_time,
                    lora_request=lora_request,
                )
            return None
        if request_id == "refused":
            raise ValueError("refused")
        group = SequenceGroup(request_id)
        self.scheduler[0].add_seq_group(group)
        return group

    def _process_model_outputs(self, ctx, request_id=None):
        if request_id is None and ctx.output_queue:
            ctx.output_queue.popleft()

    def has_unfinished_requests(self):
        return any(scheduler.waiting or scheduler.running or scheduler.swapped for scheduler in self.scheduler)
