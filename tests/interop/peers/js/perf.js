// /perf/1.0.0 (libp2p/specs, perf): the package of js-libp2p's own is not part of this set.

import { u64 } from './pattern.js'
import { Pipe } from './pipe.js'

export const PERF = '/perf/1.0.0'
const BLOCK = Buffer.alloc(64 * 1024)

export async function servePerf (stream) {
  const pipe = new Pipe(stream)
  try {
    const download = Number((await pipe.readExactly(8)).readBigUInt64BE())
    await readToEnd(pipe)
    await sendZeros(pipe, download)
    await pipe.closeWrite()
  } catch (error) {
    console.error('perf:', error)
    pipe.reset()
  }
}

export async function runPerf (stream, { upload, download }) {
  const pipe = new Pipe(stream)
  const begun = performance.now()
  await pipe.write(u64(download))
  await sendZeros(pipe, upload)
  await pipe.closeWrite()
  await readToEnd(pipe)
  if (pipe.received !== download) throw new Error(`asked for ${download}, got ${pipe.received}`)
  return { seconds: (performance.now() - begun) / 1000 }
}

async function readToEnd (pipe) {
  while (await pipe.read() != null);
}

async function sendZeros (pipe, count) {
  for (let left = count; left > 0; left -= BLOCK.byteLength) {
    await pipe.write(BLOCK.subarray(0, Math.min(left, BLOCK.byteLength)))
  }
}
