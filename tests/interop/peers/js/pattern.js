// pattern(seed, n): the bytes that scripted streams carry; see ../../README.md, "The bytes".

import { createHash } from 'node:crypto'

const BLOCK_BYTES = 65_536
const DIGESTS = 2048

export function sha256 () {
  return createHash('sha256')
}

/** Yield the first `count` bytes of the pattern, block by block. */
export function * pattern (seed, count) {
  const base = baseBlock(seed)
  for (let index = 0; index * BLOCK_BYTES < count; index++) {
    const block = Buffer.from(base)
    block.writeBigUInt64BE(BigInt(index))
    yield block.subarray(0, Math.min(BLOCK_BYTES, count - index * BLOCK_BYTES))
  }
}

export function u64 (value) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function baseBlock (seed) {
  const input = Buffer.alloc(12)
  input.writeBigUInt64BE(BigInt(seed))
  const digests = []
  for (let index = 0; index < DIGESTS; index++) {
    input.writeUInt32BE(index, 8)
    digests.push(sha256().update(input).digest())
  }
  return Buffer.concat(digests)
}
