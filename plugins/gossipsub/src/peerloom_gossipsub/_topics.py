"""What topics are called."""

from __future__ import annotations


def context_topic(context_id: object) -> str:
    """The topic of a context, in which all its members meet: the context id's own text.

    So it is in calimero-network: every context is one topic, and its name is not hashed.
    """
    return str(context_id)
