"""The two security channels, sans-IO: TLS 1.3 and Noise."""

from __future__ import annotations

from ._noise import Noise
from ._tls import Tls

__all__ = ["Noise", "Tls"]
