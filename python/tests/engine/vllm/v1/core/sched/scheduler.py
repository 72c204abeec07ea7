from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace


class RequestStatus(IntEnum):
    RUNNING = 1
    FINISHED_STOPPED = 2
    FINISHED_LENGTH_CAPPED = 3
    FINISHED_ABORTED = 4
    FINISHED_ERROR = 5


@dataclass
class SchedulerOutput:
    num_scheduled_tokens: dict = field(default_factory=dict)


class Scheduler:
    def __init__(self, vllm_config, kv_cache_config, structured_output_manager, block_size, log_stats=False):
        self.vllm_config = vllm_config
        self.block_size = block_size
        self.requests = {}
        self.running = []
        self.waiting = []
        self.kv_holding_waiting = []
        self.deferred_waiting = set()
        self.kv_cache_manager = SimpleNamespace(usage=0.0)
        self.script = []
        self.calls = []

    def schedule(self, throttle_prefills=False):
        self.calls.append("schedule")
        return self.script.pop(0)

    def _preempt_request(self, request, timestamp, drop_stale_output=False):
        self.calls.append("_preempt_request")
        self.running.remove(request)
        self.waiting.insert(0, request)

    def update_from_output(self, scheduler_output, model_runner_output):
        self.calls.append("update_from_output")
        return model_runner_output

    def add_request(self, request):
        self.calls.append("add_request")
        if request.request_id not in self.requests:
            self.requests[request.request_id] = request
            self.waiting.append(request)

    def finish_requests(self, request_ids, finished_status):
        self.calls.append("finish_requests")
        if isinstance(request_ids, str):
            request_ids = (request_ids,)
        ids = list(self.requests) if request_ids is None else set(request_ids)
        return self.told([self.requests.pop(id_) for id_ in ids if id_ in self.requests])

    def told(self, finished):
        return finished


class AsyncScheduler(Scheduler):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.decode_stagger = 1


class DiffusionAsyncScheduler(AsyncScheduler):
    def schedule(self, throttle_prefills=False):
        return super().schedule(throttle_prefills)


class OlderScheduler(Scheduler):
    """As in 0.18: names what it finished by tuples."""

    def told(self, finished):
        return [(request.request_id, 0) for request in finished]


class OldestScheduler(Scheduler):
    """As in 0.12: does not say what it finished."""

    def told(self, finished):
        return None
