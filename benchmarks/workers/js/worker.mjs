// js-libp2p: `node worker.mjs FOLDER`, where FOLDER is the interop peer with its node_modules.
// The node is the interop peer's; the scripts are those of ../scripts.py.

import { createCipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const folder = process.argv[2]
const load = async path => await import(pathToFileURL(`${folder}/${path}`))
await load('promises.js')
const { serve } = await load('channel.js')
const { createHost } = await load('host.js')
const { pattern, u64 } = await load('pattern.js')
const { multiaddr } = await load('node_modules/@multiformats/multiaddr/dist/src/index.js')
const { peerIdFromString } = await load('node_modules/@libp2p/peer-id/dist/src/index.js')
const VERSION = JSON.parse(readFileSync(`${folder}/package.json`)).dependencies.libp2p

const BULK = '/bench/bulk/1'
const BLOCK_BYTES = 65_536
const BLOCKS = 61
const HEADER_BYTES = 8
const REPORT_BYTES = 24

/** GMAC under a fixed key, as in ../payload.py. */
class Tag {
  #state = createCipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12))

  update (data) {
    this.#state.setAAD(data)
  }

  digest () {
    this.#state.final()
    return this.#state.getAuthTag()
  }
}

class Worker {
  #host

  async start ({ transport, security, ip = '127.0.0.1' }) {
    this.#host = await createHost({
      identity: 'ed25519',
      transports: [transport],
      security: [security],
      muxers: ['yamux'],
      listen: [`/ip4/${ip}/tcp/0`]
    })
    await this.#host.handle(BULK, receiveBulk)
    return {
      peer: this.#host.peerId.toString(),
      addresses: this.#host.getMultiaddrs().map(String),
      implementation: 'js-libp2p',
      version: `${VERSION} (node ${process.version})`
    }
  }

  async dial ({ address }) {
    await this.#host.dial(multiaddr(address))
  }

  async disconnect ({ peer }) {
    await this.#host.hangUp(peerIdFromString(peer))
  }

  async send ({ peer, bytes, seed }) {
    const [connection] = this.#host.getConnections(peerIdFromString(peer))
    const stream = await connection.newStream(BULK)
    const outcome = await sendBulk(stream, bytes, seed)
    await stream.close()
    return outcome
  }

  async stop () {
    await this.#host?.stop()
  }
}

async function sendBulk (stream, bytes, seed) {
  const ring = [...pattern(seed, BLOCKS * BLOCK_BYTES)]
  const reported = reportOf(stream)
  const begun = performance.now()
  await write(stream, u64(bytes))
  for (let index = 0; index * BLOCK_BYTES < bytes; index++) await write(stream, ring[index % BLOCKS])
  const report = await reported
  return {
    seconds: (performance.now() - begun) / 1000,
    count: Number(report.readBigUInt64BE(0)),
    tag: report.subarray(8, REPORT_BYTES).toString('hex')
  }
}

/** Hash inside of the event handler: the shortest way that js-libp2p has to its reader. */
function receiveBulk (stream) {
  const tag = new Tag()
  let head = Buffer.alloc(0)
  let count = 0
  let wanted = Infinity
  const take = part => {
    if (wanted === Infinity) {
      head = Buffer.concat([head, part])
      if (head.length < HEADER_BYTES) return
      wanted = Number(head.readBigUInt64BE(0))
      part = head.subarray(HEADER_BYTES)
    }
    tag.update(part)
    count += part.byteLength
    if (count >= wanted) {
      stream.send(Buffer.concat([u64(count), tag.digest()]))
      stream.close()
    }
  }
  stream.addEventListener('message', event => { for (const part of partsOf(event.data)) take(part) })
}

function reportOf (stream) {
  return new Promise((resolve, reject) => {
    let report = Buffer.alloc(0)
    stream.addEventListener('message', event => {
      report = Buffer.concat([report, ...partsOf(event.data)])
      if (report.length >= REPORT_BYTES) resolve(report)
    })
    stream.addEventListener('close', event => reject(event.error ?? new Error('ended early')))
  })
}

function partsOf (data) {
  return data instanceof Uint8Array ? [data] : data
}

/** Stream.onDrain() keeps its first promise, so it would wait only once in a stream's life. */
async function write (stream, block) {
  if (stream.send(block)) return
  await new Promise((resolve, reject) => {
    const done = event => {
      stream.removeEventListener('drain', done)
      stream.removeEventListener('close', done)
      event.type === 'drain' ? resolve() : reject(event.error ?? new Error('closed'))
    }
    stream.addEventListener('drain', done)
    stream.addEventListener('close', done)
  })
}

const COMMANDS = ['start', 'dial', 'disconnect', 'send']
const worker = new Worker()
await serve(async ({ do: name, ...fields }) => {
  if (!COMMANDS.includes(name)) throw new Error(`no command ${name}`)
  return await worker[name](fields)
})
await worker.stop()
process.exit(0)
