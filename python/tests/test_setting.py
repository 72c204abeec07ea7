"""What the environment may say."""

from __future__ import annotations

import pytest

from tachograph.setting import RING_BYTES, Setting, enabled

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
LAUNCHED = {"TACHOGRAPH_RUNTIME_DIR": "/run/x"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        (LAUNCHED, True),
        ({**LAUNCHED, "TACHOGRAPH_ENABLED": "true"}, True),
        ({**LAUNCHED, "TACHOGRAPH_ENABLED": "False"}, False),
        ({**LAUNCHED, "TACHOGRAPH_ENABLED": "0"}, False),
        ({**LAUNCHED, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({**LAUNCHED, "OTEL_SDK_DISABLED": "1"}, True),  # the specification knows only "true"
    ],
)
def test_a_process_is_observed_under_the_launcher_unless_a_switch_is_off(
    environ: dict[str, str], expected: bool
) -> None:
    assert enabled(environ) is expected


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("", True),
        ("true", True),
        ("SPAN_ONLY", True),
        ("span_and_event", True),
        ("EVENT_ONLY", True),
        ("false", False),
        ("NO_CONTENT", False),
    ],
)
def test_content_is_on_unless_it_is_turned_off(value: str, content: bool) -> None:
    setting = Setting({CONTENT: value})
    assert (setting.content, setting.complaints) == (content, [])


def test_content_is_off_and_told_when_the_value_is_none_that_we_know() -> None:
    setting = Setting({CONTENT: "nope"})
    assert setting.content is False
    assert setting.complaints == [f"content is not captured, use true or false for {CONTENT}: nope"]


@pytest.mark.parametrize(("value", "size"), [("", RING_BYTES), ("4096", 4096), (" 1048576 ", 1048576)])
def test_the_ring_has_the_size_asked_for(value: str, size: int) -> None:
    setting = Setting({"TACHOGRAPH_RING_BYTES": value})
    assert (setting.ring_bytes, setting.complaints) == (size, [])


@pytest.mark.parametrize("value", ["8M", "-1", "0", "1e9", "²", "2048", "2147483648", "1000000"])
def test_a_size_that_cannot_be_used_is_told_and_replaced(value: str) -> None:
    setting = Setting({"TACHOGRAPH_RING_BYTES": value})
    assert setting.ring_bytes == RING_BYTES
    assert setting.complaints[0].endswith(f"for TACHOGRAPH_RING_BYTES: {value}")
