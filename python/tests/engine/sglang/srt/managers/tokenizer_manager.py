from types import SimpleNamespace


class TokenizedGenerateReqInput(SimpleNamespace):
    pass


class TokenizedEmbeddingReqInput(SimpleNamespace):
    pass


class TokenizerManager:
    def __init__(self, server_args, port_args=None):
        self.server_args = server_args
        self.rid_to_state = {}
        self.calls = []

    async def generate_request(self, obj, request=None):
        self.calls.append("generate_request")
        for tokenized in obj.tokenized:
            self.rid_to_state[tokenized.rid] = SimpleNamespace(time_stats=SimpleNamespace(first_token_time=0.0))
        if obj.batched:
            await self._send_batch_request(obj.tokenized)
        else:
            for tokenized in obj.tokenized:
                await self._send_one_request(tokenized)
        yield "response"

    async def _send_one_request(self, tokenized_obj):
        self.calls.append("_send_one_request")

    async def _send_batch_request(self, tokenized_objs):
        self.calls.append("_send_batch_request")

    async def _handle_batch_output(self, recv_obj):
        self.calls.append("_handle_batch_output")

    def abort_request(self, rid="", abort_all=False):
        self.calls.append("abort_request")

    def _handle_abort_req(self, recv_obj):
        self.calls.append("_handle_abort_req")
        self.rid_to_state.pop(recv_obj.rid, None)


class TokenizerWorker(TokenizerManager):
    pass
