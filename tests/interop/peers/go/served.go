package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/libp2p/go-libp2p/core/protocol"
)

// What this peer does with the streams that others open under the test protocols.

const (
	stall             = protocol.ID("/test/stall/1")
	maxHalfCloseBytes = 16 << 20
)

var served = map[protocol.ID]script{
	"/test/echo/1":       serveEcho,
	"/test/sink/1":       serveSink,
	"/test/source/1":     serveSource,
	"/test/half-close/1": serveHalfClose,
	"/test/reset/1":      serveReset,
	"/test/frames/1":     serveFrames,
	stall:                serveStall,
}

func serveEcho(p *pipe, _ <-chan struct{}) (fields, error) {
	if err := copyBlocks(p, p); err != nil {
		return nil, err
	}
	return nil, p.closeWrite()
}

func serveSink(p *pipe, _ <-chan struct{}) (fields, error) {
	if err := copyBlocks(io.Discard, p); err != nil {
		return nil, err
	}
	report := p.hash.Sum(u64(uint64(p.received.Load())))
	if _, err := p.Write(report); err != nil {
		return nil, err
	}
	return nil, p.closeWrite()
}

func serveSource(p *pipe, _ <-chan struct{}) (fields, error) {
	if err := sendRequested(p); err != nil {
		return nil, err
	}
	return nil, p.closeWrite()
}

func serveHalfClose(p *pipe, _ <-chan struct{}) (fields, error) {
	kept, err := io.ReadAll(io.LimitReader(p, maxHalfCloseBytes+1))
	if err != nil {
		return nil, err
	}
	if len(kept) > maxHalfCloseBytes {
		return nil, errors.New("more than 16 MiB")
	}
	if _, err := p.Write(kept); err != nil {
		return nil, err
	}
	return nil, p.closeWrite()
}

func serveReset(p *pipe, _ <-chan struct{}) (fields, error) {
	if err := sendRequested(p); err != nil {
		return nil, err
	}
	return nil, errors.New("reset, as /test/reset/1 does")
}

func serveFrames(p *pipe, _ <-chan struct{}) (fields, error) {
	from := bufio.NewReader(p)
	for {
		frame, err := readFrame(from)
		if err == io.EOF {
			return nil, p.closeWrite()
		}
		if err != nil {
			return nil, err
		}
		if err := writeFrame(p, frame); err != nil {
			return nil, err
		}
	}
}

func serveStall(p *pipe, released <-chan struct{}) (fields, error) {
	<-released
	return serveSink(p, released)
}

func sendRequested(p *pipe) error {
	header := make([]byte, headerBytes)
	if _, err := io.ReadFull(p, header); err != nil {
		return err
	}
	count, seed := binary.BigEndian.Uint64(header), binary.BigEndian.Uint64(header[8:])
	return copyBlocks(p, newPattern(seed, int64(count)))
}
