"""Peerloom: a libp2p networking stack for asyncio and trio, made of a core and plugins."""
