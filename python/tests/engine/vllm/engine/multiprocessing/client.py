class MQLLMEngineClient:
    def __init__(self, ipc_path, engine_config, engine_pid):
        self.outputs = []
        self.aborted = []

    def generate(self, prompt=None, sampling_params=None, request_id=None, lora_request=None, *, inputs=None):
        return self._process_request(request_id)

    def encode(self, prompt=None, pooling_params=None, request_id=None, lora_request=None, *, inputs=None):
        return self._process_request(request_id)

    async def _process_request(self, request_id):
        yield request_id

    def _add_output(self, request_output):
        self.outputs.append(request_output)

    async def abort(self, request_id):
        self.aborted.append(request_id)
