# The package `multiaddr` 0.2 does not say that it is annotated (PEP 561): without these stubs
# `peerloom.Multiaddr` would be `Any` to whoever checks a program that uses it.

from .multiaddr import Multiaddr as Multiaddr

__author__: str
__email__: str
__version__: str
