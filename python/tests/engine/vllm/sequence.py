from array import array
from enum import IntEnum
from types import SimpleNamespace


class SequenceStatus(IntEnum):
    WAITING = 0
    RUNNING = 1
    SWAPPED = 2
    FINISHED_STOPPED = 3
    FINISHED_LENGTH_CAPPED = 4
    FINISHED_ABORTED = 5
    FINISHED_IGNORED = 6


class Sequence:
    def __init__(self):
        self.status = SequenceStatus.RUNNING
        self.data = SimpleNamespace(_output_token_ids=array("l"), _num_cached_tokens=0)


class SequenceGroup:
    def __init__(self, request_id):
        self.request_id = request_id
        self.first_seq = Sequence()
