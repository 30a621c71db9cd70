"""Streams between two peers: framed messages or plain bytes."""
