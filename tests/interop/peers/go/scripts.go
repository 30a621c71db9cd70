package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"maps"

	"github.com/libp2p/go-libp2p/core/network"
)

// What this peer does on the streams that it opens itself, one script for each task.

const (
	headerBytes = 16
	reportBytes = 8 + sha256.Size
)

func echoing(bytes int64, seed uint64) script {
	return func(p *pipe, _ <-chan struct{}) (fields, error) {
		return both(
			func() (fields, error) { return sendAndEnd(p, bytes, seed) },
			func() (fields, error) { return receiveAll(p) },
		)
	}
}

func sinking(bytes int64, seed uint64) script {
	return func(p *pipe, _ <-chan struct{}) (fields, error) {
		sent, err := sendAndEnd(p, bytes, seed)
		if err != nil {
			return nil, err
		}
		report := make([]byte, reportBytes)
		if _, err := io.ReadFull(p, report); err != nil {
			return nil, err
		}
		return sent.with(fields{
			"reported":        binary.BigEndian.Uint64(report),
			"reported_sha256": hex.EncodeToString(report[8:]),
		}), nil
	}
}

func drawing(bytes int64, seed uint64) script {
	return func(p *pipe, released <-chan struct{}) (fields, error) {
		if err := sendHeader(p, bytes, seed); err != nil {
			return nil, err
		}
		if err := p.closeWrite(); err != nil {
			return nil, err
		}
		<-released
		return receiveAll(p)
	}
}

func halfClosing(bytes int64, seed uint64) script {
	return func(p *pipe, _ <-chan struct{}) (fields, error) {
		sent, err := sendAndEnd(p, bytes, seed)
		if err != nil {
			return nil, err
		}
		received, err := receiveAll(p)
		return sent.with(received), err
	}
}

func expectingReset(bytes int64, seed uint64) script {
	return func(p *pipe, _ <-chan struct{}) (fields, error) {
		if err := sendHeader(p, bytes, seed); err != nil {
			return nil, err
		}
		_, err := receiveAll(p)
		switch {
		case err == nil:
			return fields{"how": "end", "received": p.received.Load()}, nil
		case errors.Is(err, network.ErrReset):
			return fields{"how": "reset", "received": p.received.Load()}, nil
		default:
			return nil, err
		}
	}
}

func resetting(bytes int64, seed uint64) script {
	return func(p *pipe, _ <-chan struct{}) (fields, error) {
		_, err := both(
			func() (fields, error) { return send(p, bytes, seed) },
			func() (fields, error) { _, err := io.ReadFull(p, make([]byte, 1)); return nil, err },
		)
		if err != nil {
			return nil, err
		}
		p.reset()
		return fields{"sent": p.sent.Load()}, nil
	}
}

func framing(sizes []int64, seed uint64) script {
	return func(p *pipe, _ <-chan struct{}) (fields, error) {
		return both(
			func() (fields, error) { return sendFrames(p, sizes, seed) },
			func() (fields, error) { return receiveFrames(p) },
		)
	}
}

func sendFrames(p *pipe, sizes []int64, seed uint64) (fields, error) {
	total := int64(0)
	for _, size := range sizes {
		total += size
	}
	hash := sha256.New()
	payload := io.TeeReader(newPattern(seed, total), hash)
	for _, size := range sizes {
		frame := make([]byte, size)
		if _, err := io.ReadFull(payload, frame); err != nil {
			return nil, err
		}
		if err := writeFrame(p, frame); err != nil {
			return nil, err
		}
	}
	return fields{"sent_sha256": hexSum(hash)}, p.closeWrite()
}

func receiveFrames(p *pipe) (fields, error) {
	hash, sizes := sha256.New(), []int{}
	from := bufio.NewReader(p)
	for {
		frame, err := readFrame(from)
		if err == io.EOF {
			return fields{"received_sha256": hexSum(hash), "sizes": sizes}, nil
		}
		if err != nil {
			return nil, err
		}
		hash.Write(frame)
		sizes = append(sizes, len(frame))
	}
}

func sendHeader(p *pipe, bytes int64, seed uint64) error {
	_, err := p.Write(append(u64(uint64(bytes)), u64(seed)...))
	return err
}

func sendAndEnd(p *pipe, bytes int64, seed uint64) (fields, error) {
	sent, err := send(p, bytes, seed)
	if err != nil {
		return nil, err
	}
	return sent, p.closeWrite()
}

func send(p *pipe, bytes int64, seed uint64) (fields, error) {
	hash := sha256.New()
	err := copyBlocks(p, io.TeeReader(newPattern(seed, bytes), hash))
	return fields{"sent": bytes, "sent_sha256": hexSum(hash)}, err
}

func receiveAll(p *pipe) (fields, error) {
	err := copyBlocks(io.Discard, p)
	return fields{"received": p.received.Load(), "received_sha256": p.digest()}, err
}

// both does two things at once and puts together what came of them.
func both(tasks ...func() (fields, error)) (fields, error) {
	outcomes, err := each(len(tasks), func(index int) (fields, error) { return tasks[index]() })
	together := fields{}
	for _, outcome := range outcomes {
		maps.Copy(together, outcome)
	}
	return together, err
}
