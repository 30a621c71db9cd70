package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// /perf/1.0.0 (libp2p/specs, perf), which go-libp2p has no longer.

const perfProtocol = "/perf/1.0.0"

type zeros struct{}

func (zeros) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}

func servePerf(stream network.Stream) {
	if err := answerPerf(stream); err != nil {
		log.Printf("perf: %v", err)
		stream.Reset()
	}
	stream.Close()
}

func answerPerf(stream network.Stream) error {
	header := make([]byte, 8)
	if _, err := io.ReadFull(stream, header); err != nil {
		return err
	}
	if err := copyBlocks(io.Discard, stream); err != nil {
		return err
	}
	if err := sendZeros(stream, int64(binary.BigEndian.Uint64(header))); err != nil {
		return err
	}
	return stream.CloseWrite()
}

// runPerf gives the seconds from here to the last byte.
func runPerf(stream network.Stream, upload, download int64) (float64, error) {
	begun := time.Now()
	if _, err := stream.Write(u64(uint64(download))); err != nil {
		return 0, err
	}
	if err := sendZeros(stream, upload); err != nil {
		return 0, err
	}
	if err := stream.CloseWrite(); err != nil {
		return 0, err
	}
	received, err := io.Copy(io.Discard, stream)
	if err == nil && received != download {
		err = fmt.Errorf("asked for %d, got %d", download, received)
	}
	return time.Since(begun).Seconds(), err
}

func sendZeros(to io.Writer, count int64) error {
	return copyBlocks(to, io.LimitReader(zeros{}, count))
}
