from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace

from vllm.sequence import SequenceGroup


@dataclass
class ScheduledSequenceGroup:
    seq_group: SequenceGroup
    token_chunk_size: int


@dataclass
class SchedulerOutputs:
    scheduled_seq_groups: list = field(default_factory=list)
    num_prefill_groups: int = 0
    ignored_seq_groups: list = field(default_factory=list)
    num_lookahead_slots: int = 0


class Scheduler:
    def __init__(
        self, scheduler_config, cache_config, lora_config, pipeline_parallel_size=1, output_proc_callback=None
    ):
        self.waiting = deque()
        self.running = deque()
        self.swapped = deque()
        self.free = SimpleNamespace(gpu=cache_config.num_gpu_blocks, cpu=cache_config.num_cpu_blocks)
        self.block_manager = SimpleNamespace(
            get_num_free_gpu_blocks=lambda: self.free.gpu, get_num_free_cpu_blocks=lambda: self.free.cpu
        )
        self._finished_requests_ids = []
        self.script = []

    def add_seq_group(self, seq_group):
        self.waiting.append(seq_group)

    def schedule(self):
        outputs = self.script.pop(0)
        return [], outputs, True

    def _preempt(self, seq_group, blocks_to_swap_out):
        self.running.remove(seq_group)
        self.waiting.appendleft(seq_group)

    def abort_seq_group(self, request_id, seq_id_to_seq_group=None):
        ids = {request_id} if isinstance(request_id, str) else set(request_id)
        for queue in (self.waiting, self.running, self.swapped):
            for group in [group for group in queue if group.request_id.partition("_parallel_sample_")[0] in ids]:
                queue.remove(group)
                self._finished_requests_ids.append(group.request_id)
