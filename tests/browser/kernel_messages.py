"""Read what the kernel says to the browser: errors in `observe` callbacks show nowhere else."""

from __future__ import annotations

import json


def decode(frame: str | bytes) -> dict:
    """One message of a kernel's websocket: a dict with channel, header, parent_header and content.

    Binary frames are in Jupyter's `v1.kernel.websocket.jupyter.org` protocol: the number of offsets, the
    offsets (64-bit, little-endian), then channel, header, parent header, metadata, content and buffers.
    """
    if isinstance(frame, str):
        return json.loads(frame)
    count = int.from_bytes(frame[:8], "little")
    offsets = [int.from_bytes(frame[8 * i : 8 * i + 8], "little") for i in range(1, count + 1)]
    channel, header, parent, _, content = (frame[a:b] for a, b in zip(offsets[:5], offsets[1:6], strict=True))
    return {
        "channel": channel.decode(),
        "header": json.loads(header),
        "parent_header": json.loads(parent),
        "content": json.loads(content),
    }


def problem_in(message: dict) -> str | None:
    """The error that a kernel message tells of, or None."""
    kind, content = message["header"]["msg_type"], message["content"]
    if kind == "error":
        return f"kernel: {content['ename']}: {content['evalue']}"
    answers_a_widget = message["parent_header"].get("msg_type", "").startswith("comm")
    if kind == "stream" and answers_a_widget and "Traceback" in content["text"]:
        return f"kernel: error in a callback: {content['text'].strip().splitlines()[-1]}"
    return None
