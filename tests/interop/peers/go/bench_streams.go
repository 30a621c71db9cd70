package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// What the benchmarks' worker does on streams.

const (
	ringBlocks       = 61
	bulkHeaderBytes  = 8
	benchReportBytes = 24
)

func sendBulk(stream network.Stream, ring []byte, count uint64, first int, begun time.Time) (fields, error) {
	if _, err := stream.Write(u64(count)); err != nil {
		return nil, err
	}
	for index := range int(count / blockBytes) {
		start := (first + index) % ringBlocks * blockBytes
		if _, err := stream.Write(ring[start : start+blockBytes]); err != nil {
			return nil, err
		}
	}
	report := make([]byte, benchReportBytes)
	if _, err := io.ReadFull(stream, report); err != nil {
		return nil, err
	}
	return fields{
		"seconds": time.Since(begun).Seconds(),
		"count":   binary.BigEndian.Uint64(report),
		"tag":     hex.EncodeToString(report[8:]),
	}, nil
}

func receiveBulk(stream network.Stream) error {
	header := make([]byte, bulkHeaderBytes)
	if _, err := io.ReadFull(stream, header); err != nil {
		return err
	}
	block, sum := make([]byte, blockBytes), tag{}
	for range binary.BigEndian.Uint64(header) / blockBytes {
		if _, err := io.ReadFull(stream, block); err != nil {
			return err
		}
		sum.update(block)
	}
	_, err := stream.Write(append(u64(sum.count), sum.digest()...))
	return err
}

// exchange sends a message and waits until it has come back.
func exchange(stream network.Stream, message []byte) error {
	if _, err := stream.Write(message); err != nil {
		return err
	}
	answer := make([]byte, len(message))
	if _, err := io.ReadFull(stream, answer); err != nil {
		return err
	}
	if !bytes.Equal(answer, message) {
		return errors.New("something else came back")
	}
	return nil
}
