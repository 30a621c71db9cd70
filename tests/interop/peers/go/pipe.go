package main

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
)

// A pipe is a stream that counts what passes and hashes what comes.
type pipe struct {
	stream   network.Stream
	hash     hash.Hash
	sent     atomic.Int64
	received atomic.Int64
	wasReset bool
}

func newPipe(stream network.Stream) *pipe {
	return &pipe{stream: stream, hash: sha256.New()}
}

func (p *pipe) Read(into []byte) (int, error) {
	n, err := p.stream.Read(into)
	p.hash.Write(into[:n])
	p.received.Add(int64(n))
	return n, err
}

func (p *pipe) Write(data []byte) (int, error) {
	n, err := p.stream.Write(data)
	p.sent.Add(int64(n))
	return n, err
}

func (p *pipe) closeWrite() error {
	return p.stream.CloseWrite()
}

func (p *pipe) reset() {
	p.wasReset = true
	p.stream.Reset()
}

func (p *pipe) counts() fields {
	return fields{"sent": p.sent.Load(), "received": p.received.Load()}
}

func (p *pipe) digest() string {
	return hexSum(p.hash)
}

func hexSum(hash hash.Hash) string {
	return hex.EncodeToString(hash.Sum(nil))
}
