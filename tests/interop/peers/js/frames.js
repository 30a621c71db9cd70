// Length-delimited frames over a pipe, as /test/frames/1 has them: varint, then the bytes.

import { StreamBroken } from './pipe.js'

export const FRAMES = '/test/frames/1'
const MAX_FRAME_BYTES = 1024 * 1024
const MAX_LENGTH_BYTES = 3 // of a varint up to MAX_FRAME_BYTES

/** Yield the frames that arrive, up to the clean end; throws StreamBroken after any other. */
export async function * readFrames (pipe) {
  for (let length; (length = await readLength(pipe)) != null;) {
    if (length > MAX_FRAME_BYTES) throw new StreamBroken(`a frame of ${length} bytes`)
    yield await pipe.readExactly(length)
  }
}

export function encodeFrame (frame) {
  const prefix = []
  let length = frame.byteLength
  for (; length > 0x7f; length >>>= 7) prefix.push(length & 0x7f | 0x80)
  return Buffer.concat([Buffer.from([...prefix, length]), frame])
}

/** Yield the bytes of `blocks` in frames of those sizes. */
export function * cut (blocks, sizes) {
  let rest = Buffer.alloc(0)
  for (const size of sizes) {
    while (rest.byteLength < size) rest = Buffer.concat([rest, blocks.next().value])
    yield rest.subarray(0, size)
    rest = rest.subarray(size)
  }
}

async function readLength (pipe) {
  let length = 0
  for (let index = 0; index < MAX_LENGTH_BYTES; index++) {
    const byte = await readByte(pipe)
    if (byte == null && index === 0) return null
    if (byte == null) throw new StreamBroken('ended within a length')
    length |= (byte & 0x7f) << 7 * index
    if (byte <= 0x7f) return length
  }
  throw new StreamBroken('a length of more than three bytes')
}

async function readByte (pipe) {
  const chunk = await pipe.read()
  if (chunk == null) return null
  pipe.putBack(chunk.subarray(1))
  return chunk[0]
}
