// js-libp2p: `node worker.mjs FOLDER`, where FOLDER is the interop peer with its node_modules.
// The node is the interop peer's; the scripts are those of ../scripts.py.

import { createCipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

// @chainsafe/libp2p-quic leaves the promise of an aborted stream to nobody, which ends a process.
process.on('unhandledRejection', reason => console.error('unhandled rejection:', reason))

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
const ECHO = '/bench/echo/1'
const LISTEN = { tcp: ip => `/ip4/${ip}/tcp/0`, quic: ip => `/ip4/${ip}/udp/0/quic-v1` }
const MAX_STREAMS = { maxInboundStreams: 256, maxOutboundStreams: 256 }
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
      listen: [LISTEN[transport](ip)]
    })
    await this.#host.handle(BULK, receiveBulk, MAX_STREAMS)
    await this.#host.handle(ECHO, serveEcho, MAX_STREAMS)
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
    const stream = await this.#open(peer, BULK)
    const outcome = await sendBulk(stream, ring(seed), bytes, 0)
    await stream.close()
    return outcome
  }

  async parallel ({ peer, bytes, seed, streams: count }) {
    const streams = []
    while (streams.length < count) streams.push(await this.#open(peer, BULK))
    const blocks = ring(seed)
    const begun = performance.now()
    const outcomes = await Promise.all(
      streams.map(async (stream, number) => await sendBulk(stream, blocks, bytes, number, begun))
    )
    for (const stream of streams) await stream.close()
    return { streams: outcomes }
  }

  async openStreams ({ peer, count }) {
    const begun = performance.now()
    for (let number = 0; number < count; number++) {
      const stream = await this.#open(peer, ECHO)
      await new Echo(stream).exchange(Buffer.from([number % 256]))
      await stream.close()
    }
    return { seconds: since(begun) }
  }

  async echo ({ peer, count, bytes }) {
    const stream = await this.#open(peer, ECHO)
    const echo = new Echo(stream)
    const seconds = []
    const message = Buffer.alloc(bytes)
    for (let number = 0; number < count; number++) {
      for (let at = 0; at < bytes; at += 4) message.writeUInt32BE(number, at)
      const begun = performance.now()
      await echo.exchange(message)
      seconds.push(since(begun))
    }
    await stream.close()
    return { seconds }
  }

  async shakeHands ({ address, peer, count }) {
    let seconds = 0
    for (let number = 0; number < count; number++) {
      const begun = performance.now()
      const identified = this.#identified(peer)
      await this.dial({ address })
      await identified
      seconds += since(begun)
      await this.disconnect({ peer })
    }
    return { seconds }
  }

  async #open (peer, protocol) {
    const [connection] = this.#host.getConnections(peerIdFromString(peer))
    return await connection.newStream(protocol, MAX_STREAMS)
  }

  #identified (peer) {
    return new Promise(resolve => {
      const heard = event => {
        if (event.detail.peerId.toString() !== peer) return
        this.#host.removeEventListener('peer:identify', heard)
        resolve()
      }
      this.#host.addEventListener('peer:identify', heard)
    })
  }

  async stop () {
    await this.#host?.stop()
  }
}

function ring (seed) {
  return [...pattern(seed, BLOCKS * BLOCK_BYTES)]
}

function since (begun) {
  return (performance.now() - begun) / 1000
}

async function sendBulk (stream, blocks, bytes, first, begun = performance.now()) {
  const reported = reportOf(stream)
  await write(stream, u64(bytes))
  for (let index = 0; index * BLOCK_BYTES < bytes; index++) {
    await write(stream, blocks[(first + index) % BLOCKS])
  }
  const report = await reported
  return {
    seconds: since(begun),
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

function serveEcho (stream) {
  stream.addEventListener('message', event => {
    for (const part of partsOf(event.data)) stream.send(part)
  })
  stream.addEventListener('remoteCloseWrite', () => { stream.close() })
}

/** Sends a message, and waits until it has come back. */
class Echo {
  #stream
  #answer = Buffer.alloc(0)
  #arrived = () => {}
  #failed = () => {}

  constructor (stream) {
    this.#stream = stream
    stream.addEventListener('message', event => {
      this.#answer = Buffer.concat([this.#answer, ...partsOf(event.data)])
      this.#arrived()
    })
    stream.addEventListener('close', event => this.#failed(event.error ?? new Error('ended early')))
  }

  async exchange (message) {
    const { promise, resolve, reject } = Promise.withResolvers()
    this.#answer = Buffer.alloc(0)
    this.#failed = reject
    this.#arrived = () => { if (this.#answer.length >= message.length) resolve() }
    await write(this.#stream, message)
    await promise
    if (!this.#answer.equals(message)) throw new Error('something else came back')
  }
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

const COMMANDS = {
  'start': 'start',
  'dial': 'dial',
  'disconnect': 'disconnect',
  'send': 'send',
  'parallel': 'parallel',
  'open-streams': 'openStreams',
  'echo': 'echo',
  'shake-hands': 'shakeHands'
}
const worker = new Worker()
await serve(async ({ do: name, ...fields }) => {
  if (!Object.hasOwn(COMMANDS, name)) throw new Error(`no command ${name}`)
  return await worker[COMMANDS[name]](fields)
})
await worker.stop()
process.exit(0)
