from types import SimpleNamespace

from sglang.srt.managers.scheduler_components.metrics_reporter import SchedulerMetricsReporter
from sglang.srt.managers.scheduler_components.output_streamer import SchedulerOutputStreamer


class Scheduler:
    def __init__(self, server_args, port_args=None, **ranks):
        for name, value in {"attn_tp_rank": 0, "pp_rank": 0, "dp_rank": None, **ranks}.items():
            setattr(self, name, value)
        self.server_args = server_args
        self.model_config = SimpleNamespace(context_len=2048)
        self.max_running_requests = 32
        self.max_prefill_tokens = 4096
        self.max_total_num_tokens = 1000
        self.page_size = 4
        self.is_generation = True
        self.rust_server = None
        self.waiting_queue = []
        self.running_batch = SimpleNamespace(reqs=[])
        self.grammar_manager = SimpleNamespace(grammar_queue=[])
        self.token_to_kv_pool_allocator = SimpleNamespace(available_size=lambda: 700)
        self.tree_cache = SimpleNamespace(evictable_size=lambda: 50)
        self.metrics_reporter = SchedulerMetricsReporter(self)
        self.output_streamer = SchedulerOutputStreamer()
        self.script = []
        self.during = None

    def _add_request_to_queue(self, req, is_retracted=False):
        self.waiting_queue.append(req)

    def get_next_batch_to_run(self, running_batch=None, last_batch=None):
        return SimpleNamespace(batch_to_run=self.script.pop(0) if self.script else None)

    def run_batch(self, batch, pp_proxy_tensors=None):
        return SimpleNamespace(of=batch)

    def process_batch_result(self, batch, result):
        if self.during is not None:
            self.during()
        self.output_streamer.stream_output(batch.reqs, False)

    def send_abort_output(self, abort_req, req):
        return "sent"

    def abort_request(self, recv_req):
        self.waiting_queue = [req for req in self.waiting_queue if not req.rid.startswith(recv_req.rid)]
