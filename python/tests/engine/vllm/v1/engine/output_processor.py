from dataclasses import dataclass


@dataclass
class OutputProcessorOutput:
    request_outputs: list
    reqs_to_abort: list


class OutputProcessor:
    def __init__(self, tokenizer, *, log_stats, stream_interval=1, tracing_enabled=False, admission_stats=None):
        self.request_states = {}
        self.parent_requests = {}
        self.calls = []

    def abort_requests(self, request_ids, internal):
        self.calls.append("abort_requests")
        aborted = []
        for request_id in request_ids:
            if self.request_states.pop(request_id, None) is not None:
                aborted.append(request_id)
            elif request_id in self.parent_requests:
                aborted.extend(self.abort_requests(self.parent_requests.pop(request_id), internal=True))
        return aborted

    def add_request(self, request, prompt, parent_req=None, request_index=0, queue=None):
        self.calls.append("add_request")
        if request.request_id == "refused":
            raise ValueError("refused")
        self.request_states.setdefault(request.request_id, []).append(prompt)
        if parent_req is not None:
            self.parent_requests.setdefault(parent_req.request_id, []).append(request.request_id)

    def process_outputs(
        self, engine_core_outputs, engine_core_timestamp=None, iteration_stats=None, weight_version=None
    ):
        self.calls.append("process_outputs")
        return OutputProcessorOutput([], [output.request_id for output in engine_core_outputs if output.stopped])
