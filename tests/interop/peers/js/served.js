// What this peer does with the streams that others open under the test protocols.

import { encodeFrame, FRAMES, readFrames } from './frames.js'
import { pattern, sha256, u64 } from './pattern.js'
import { StreamBroken } from './pipe.js'
import { HEADER_BYTES, readHeader } from './scripts.js'

const MAX_HALF_CLOSE_BYTES = 16 * 1024 * 1024

export const served = {
  '/test/echo/1': echo,
  '/test/sink/1': sink,
  '/test/source/1': source,
  '/test/half-close/1': halfClose,
  '/test/reset/1': reset,
  [FRAMES]: frames,
  '/test/stall/1': stall
}

export async function echo (pipe) {
  for (let chunk; (chunk = await pipe.read()) != null;) await pipe.write(chunk)
  await pipe.closeWrite()
}

async function sink (pipe) {
  const hash = sha256()
  let count = 0
  for (let chunk; (chunk = await pipe.read()) != null;) {
    hash.update(chunk)
    count += chunk.byteLength
  }
  await pipe.write(Buffer.concat([u64(count), hash.digest()]))
  await pipe.closeWrite()
}

async function source (pipe) {
  await sendRequested(pipe)
  await pipe.closeWrite()
}

async function halfClose (pipe) {
  const kept = []
  for (let chunk; (chunk = await pipe.read()) != null;) {
    kept.push(chunk)
    if (pipe.received > MAX_HALF_CLOSE_BYTES) throw new StreamBroken('more than 16 MiB')
  }
  for (const chunk of kept) await pipe.write(chunk)
  await pipe.closeWrite()
}

async function reset (pipe) {
  await sendRequested(pipe)
  throw new StreamBroken('reset, as /test/reset/1 does')
}

async function frames (pipe) {
  for await (const frame of readFrames(pipe)) await pipe.write(encodeFrame(frame))
  await pipe.closeWrite()
}

async function stall (pipe, released) {
  await released
  await sink(pipe)
}

async function sendRequested (pipe) {
  const { count, seed } = readHeader(await pipe.readExactly(HEADER_BYTES))
  for (const block of pattern(seed, count)) await pipe.write(block)
}
