package main

import (
	"bufio"
	"fmt"
	"io"

	"github.com/multiformats/go-varint"
)

// Frames: an unsigned varint of the length, then as many bytes.

const maxFrameBytes = 1 << 20

func writeFrame(to io.Writer, frame []byte) error {
	_, err := to.Write(append(varint.ToUvarint(uint64(len(frame))), frame...))
	return err
}

// readFrame gives the next frame, or io.EOF where there is none.
func readFrame(from *bufio.Reader) ([]byte, error) {
	size, err := varint.ReadUvarint(from)
	if err != nil {
		return nil, err
	}
	if size > maxFrameBytes {
		return nil, fmt.Errorf("a frame of %d bytes", size)
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(from, frame); err != nil {
		return nil, fmt.Errorf("a frame ended early: %w", err)
	}
	return frame, nil
}
