"""Publish to topics and hear them: gossipsub 1.0, 1.1 and 1.2.

Source: libp2p/specs, pubsub and pubsub/gossipsub.
"""
