"""What topics are called."""

from __future__ import annotations

from typing import Final

import base58

CONTEXT_ID_BYTES: Final = 32


def context_topic(context_id: str | bytes) -> str:
    """The topic of a context, in which all its members meet: the context id's own text.

    So it is in calimero-network: every context is one topic, and its name is not hashed. The 32
    bytes of an id give its text there, base58. Raises TypeError for anything that is neither, and
    ValueError for an empty text or another number of bytes.
    """
    if isinstance(context_id, (bytes, bytearray)):
        if len(context_id) != CONTEXT_ID_BYTES:
            raise ValueError(
                f"a context id has {CONTEXT_ID_BYTES} bytes, not {len(context_id)}: give its text"
            )
        return base58.b58encode(context_id).decode()
    if not isinstance(context_id, str):
        raise TypeError(f"a context id is text or {CONTEXT_ID_BYTES} bytes, not {context_id!r}")
    if not context_id:
        raise ValueError("a context id is not empty")
    return context_id
