class SchedulerMetricsReporter:
    def __init__(self, scheduler):
        self.scheduler = scheduler
        self.last_prefill_stats_tic = 1.0
        self.last_decode_stats_tic = 1.0
        self.last_gen_throughput = 0.0
        self.spec_total_num_accept_tokens = 0
        self.spec_total_num_forward_ct = 0

    def report_prefill_stats(self, batch, prefill_stats, can_run_cuda_graph, dp_cooperation_info=None):
        self.last_prefill_stats_tic += 1
