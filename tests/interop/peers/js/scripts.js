// What this peer does on the streams that it opens itself, one function for each script.

import { cut, encodeFrame, readFrames } from './frames.js'
import { pattern, sha256, u64 } from './pattern.js'
import { StreamBroken } from './pipe.js'

export const HEADER_BYTES = 16
const REPORT_BYTES = 40

export function readHeader (header) {
  return { count: Number(header.readBigUInt64BE(0)), seed: Number(header.readBigUInt64BE(8)) }
}

/** Send and receive at once, until both halves have ended. */
export async function echo (pipe, { bytes, seed }) {
  const [sent, received] = await Promise.all([sendAndEnd(pipe, bytes, seed), receiveAll(pipe)])
  return { ...sent, ...received }
}

export async function sink (pipe, { bytes, seed }) {
  const sent = await sendAndEnd(pipe, bytes, seed)
  const report = await pipe.readExactly(REPORT_BYTES)
  return {
    ...sent,
    reported: Number(report.readBigUInt64BE(0)),
    reported_sha256: report.subarray(8).toString('hex')
  }
}

export async function source (pipe, { bytes, seed }, released) {
  await pipe.write(header(bytes, seed))
  await pipe.closeWrite()
  await released
  return await receiveAll(pipe)
}

export async function halfClose (pipe, { bytes, seed }) {
  const sent = await sendAndEnd(pipe, bytes, seed)
  return { ...sent, ...await receiveAll(pipe) }
}

export async function expectReset (pipe, { bytes, seed }) {
  await pipe.write(header(bytes, seed))
  try {
    await receiveAll(pipe)
  } catch (error) {
    if (!(error instanceof StreamBroken)) throw error
    return { how: 'reset', received: pipe.received }
  }
  return { how: 'end', received: pipe.received }
}

export async function sendReset (pipe, { bytes, seed }) {
  const sending = send(pipe, bytes, seed)
  await pipe.readExactly(1)
  await sending
  pipe.reset()
  return { sent: pipe.sent }
}

/** Send frames of those sizes and receive what comes back at once. */
export async function frames (pipe, { sizes, seed }) {
  const [sent, received] = await Promise.all([sendFrames(pipe, sizes, seed), receiveFrames(pipe)])
  return { sent_sha256: sent, ...received }
}

async function sendFrames (pipe, sizes, seed) {
  const hash = sha256()
  const total = sizes.reduce((sum, size) => sum + size, 0)
  for (const frame of cut(pattern(seed, total), sizes)) {
    hash.update(frame)
    await pipe.write(encodeFrame(frame))
  }
  await pipe.closeWrite()
  return hash.digest('hex')
}

async function receiveFrames (pipe) {
  const hash = sha256()
  const sizes = []
  for await (const frame of readFrames(pipe)) {
    hash.update(frame)
    sizes.push(frame.byteLength)
  }
  return { received_sha256: hash.digest('hex'), sizes }
}

async function sendAndEnd (pipe, bytes, seed) {
  const sent = await send(pipe, bytes, seed)
  await pipe.closeWrite()
  return sent
}

async function send (pipe, bytes, seed) {
  const hash = sha256()
  for (const block of pattern(seed, bytes)) {
    hash.update(block)
    await pipe.write(block)
  }
  return { sent: bytes, sent_sha256: hash.digest('hex') }
}

async function receiveAll (pipe) {
  const hash = sha256()
  let received = 0
  for (let chunk; (chunk = await pipe.read()) != null;) {
    hash.update(chunk)
    received += chunk.byteLength
  }
  return { received, received_sha256: hash.digest('hex') }
}

function header (bytes, seed) {
  return Buffer.concat([u64(bytes), u64(seed)])
}
