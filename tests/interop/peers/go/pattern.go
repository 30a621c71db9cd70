package main

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
)

// The bytes that scripted streams carry; see ../../README.md, "The bytes".

const (
	blockBytes = 64 << 10
	digests    = blockBytes / sha256.Size
)

// A pattern gives the first bytes of the pattern of a seed, block by block.
type pattern struct {
	base   []byte
	offset int64
	count  int64
}

func newPattern(seed uint64, count int64) io.Reader {
	return &pattern{base: baseBlock(seed), count: count}
}

func (p *pattern) Read(into []byte) (int, error) {
	if p.offset == p.count {
		return 0, io.EOF
	}
	start := p.offset % blockBytes
	if start == 0 {
		binary.BigEndian.PutUint64(p.base, uint64(p.offset/blockBytes))
	}
	n := copy(into, p.base[start:min(blockBytes, start+p.count-p.offset)])
	p.offset += int64(n)
	return n, nil
}

func baseBlock(seed uint64) []byte {
	block := make([]byte, 0, blockBytes)
	for index := range uint32(digests) {
		input := binary.BigEndian.AppendUint32(u64(seed), index)
		digest := sha256.Sum256(input)
		block = append(block, digest[:]...)
	}
	return block
}

func u64(value uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, value)
}

// copyBlocks copies in whole blocks, where io.Copy takes halves.
func copyBlocks(to io.Writer, from io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, blockBytes))
	return err
}
