package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// GMAC under a fixed key, as in benchmarks/workers/payload.py, of a stream of whole blocks. Go has no
// GMAC that takes its bytes by and by, but one of each block gives that of all: GHASH is a polynomial.

var (
	gmacNonce = make([]byte, 12)
	gmac      = newGmac()
)

type gmacKey struct {
	aead   cipher.AEAD
	mask   element // what the cipher puts over the hash
	hash   element // H, the point at which GHASH is taken
	jump   element // H to the power of a block's length
	length element // what a block's length adds to its hash
}

func newGmac() gmacKey {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	key := gmacKey{aead: aead, mask: encrypted(block, 1), hash: encrypted(block, 0)}
	key.length = lengthOf(blockBytes).times(key.hash)
	key.jump = key.hash
	for power := 1; power < blockBytes/aes.BlockSize; power *= 2 {
		key.jump = key.jump.times(key.jump)
	}
	return key
}

func encrypted(block cipher.Block, counter byte) element {
	text := make([]byte, aes.BlockSize)
	text[len(text)-1] = counter
	block.Encrypt(text, text)
	return elementOf(text)
}

// A tag is the GMAC of the blocks that it was given.
type tag struct {
	count uint64
	sum   element
	room  [aes.BlockSize]byte
}

func (t *tag) update(block []byte) {
	one := elementOf(gmac.aead.Seal(t.room[:0], gmacNonce, nil, block)).plus(gmac.mask)
	t.sum = t.sum.times(gmac.jump).plus(one).plus(gmac.length)
	t.count += uint64(len(block))
}

func (t *tag) digest() []byte {
	total := lengthOf(t.count).times(gmac.hash)
	return t.sum.plus(total).plus(gmac.mask).bytes()
}

// An element of GF(2^128) as GCM writes it: the first bit is the lowest power.
type element struct{ high, low uint64 }

func elementOf(bytes []byte) element {
	return element{binary.BigEndian.Uint64(bytes), binary.BigEndian.Uint64(bytes[8:])}
}

func lengthOf(bytes uint64) element {
	return element{high: 8 * bytes}
}

func (e element) bytes() []byte {
	return append(u64(e.high), u64(e.low)...)
}

func (e element) plus(other element) element {
	return element{e.high ^ other.high, e.low ^ other.low}
}

func (e element) times(other element) element {
	product := element{}
	for _, half := range [2]uint64{e.high, e.low} {
		for bit := 63; bit >= 0; bit-- {
			take := -(half >> bit & 1)
			product.high ^= other.high & take
			product.low ^= other.low & take
			reduce := -(other.low & 1)
			other.low = other.low>>1 | other.high<<63
			other.high = other.high>>1 ^ 0xe1<<56&reduce
		}
	}
	return product
}
