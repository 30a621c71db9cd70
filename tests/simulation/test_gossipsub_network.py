"""Gossipsub among many simulated nodes: what survives the loss of nodes, and peers that drop."""

from __future__ import annotations
