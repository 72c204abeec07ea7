class SchedulerOutputStreamer:
    __slots__ = ("sent",)

    def __init__(self):
        self.sent = []

    def stream_output(self, reqs, return_logprob, skip_req=None):
        self.sent.append([req.rid for req in reqs])
