// js-libp2p's gossipsub: `node gossip.mjs FOLDER`, where FOLDER is the interop peer with its
// node_modules. The commands are those of ../gossip_worker.py.

import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { readFileSync } from 'node:fs'

const folder = process.argv[2]
const load = async path => await import(pathToFileURL(`${folder}/${path}`))
await load('promises.js')
const { serve } = await load('channel.js')
const { createHost } = await load('host.js')
const { pattern } = await load('pattern.js')
const { gossipsub } = await load('node_modules/@libp2p/gossipsub/dist/src/index.js')
const { multiaddr } = await load('node_modules/@multiformats/multiaddr/dist/src/index.js')
const VERSIONS = JSON.parse(readFileSync(`${folder}/package.json`)).dependencies

const TOPIC = 'bench'
const NUMBER_BYTES = 8
const POLL_SECONDS = 0.05
const RING = [...pattern(1, 61 * 65_536)]

/** The machine's clock in seconds, the one that Python's perf_counter reads. */
const now = () => Number(process.hrtime.bigint()) / 1e9
const sleep = async seconds => await new Promise(resolve => setTimeout(resolve, 1000 * seconds))

function message (number, bytes) {
  const data = Buffer.alloc(bytes)
  data.writeBigUInt64BE(BigInt(number))
  RING[number % RING.length].copy(data, NUMBER_BYTES, 0, bytes - NUMBER_BYTES)
  return data
}

/** A node that is subscribed to the topic, and what it has heard. */
class GossipNode {
  #messages = []
  #times = []
  #wanted = 0
  #all = Promise.withResolvers()

  async start ({ security, signed }) {
    this.host = await createHost({
      identity: 'ed25519',
      transports: ['tcp'],
      security: [security],
      muxers: ['yamux'],
      listen: ['/ip4/127.0.0.1/tcp/0']
    }, {
      transports: [],
      peerDiscovery: [],
      services: { gossip: gossipsub({ globalSignaturePolicy: signed ? 'StrictSign' : 'StrictNoSign' }) }
    })
    this.gossip = this.host.services.gossip
    this.gossip.addEventListener('message', event => this.#take(event.detail.data))
    this.gossip.subscribe(TOPIC)
  }

  expect (count) {
    this.#messages = []
    this.#times = []
    this.#wanted = count
    this.#all = Promise.withResolvers()
    if (count === 0) this.#all.resolve()
  }

  get count () {
    return this.#messages.length
  }

  async wait () {
    await this.#all.promise
  }

  #take (data) {
    this.#messages.push(data)
    this.#times.push(now())
    if (this.#messages.length === this.#wanted) this.#all.resolve()
  }

  report () {
    const digest = createHash('sha256')
    for (const each of this.#messages.toSorted(Buffer.compare)) digest.update(each)
    return {
      count: this.#messages.length,
      digest: digest.digest('hex'),
      last: this.#times.reduce((one, other) => Math.max(one, other), 0)
    }
  }

  arrivals () {
    const numbers = this.#messages.map(each => Number(Buffer.from(each).readBigUInt64BE(0)))
    return Object.fromEntries(numbers.map((number, index) => [number, this.#times[index]]))
  }
}

const nodes = []
const COMMANDS = {
  'start': async ({ nodes: count, security, signed }) => {
    while (nodes.length < count) {
      const node = new GossipNode()
      await node.start({ security, signed })
      nodes.push(node)
    }
    return {
      peer: nodes[0].host.peerId.toString(),
      addresses: nodes.map(node => node.host.getMultiaddrs()[0].toString()),
      implementation: 'js-libp2p',
      version: `${VERSIONS.libp2p} (node ${process.version}; gossipsub ${VERSIONS['@libp2p/gossipsub']})`
    }
  },
  'dial-from': async ({ node, address }) => { await nodes[node].host.dial(multiaddr(address)) },
  'await-meshes': async ({ size }) => {
    for (const { gossip } of nodes) {
      while (gossip.getMeshPeers(TOPIC).length < size) await sleep(POLL_SECONDS)
    }
  },
  'expect': async ({ counts }) => { counts.forEach((count, index) => nodes[index].expect(count)) },
  'publish': publish,
  'received': received,
  'arrivals': async () => ({ nodes: nodes.map(node => node.arrivals()) })
}

async function publish ({ first, count, bytes, rate = 0 }) {
  const messages = Array.from({ length: count }, (_, index) => message(first + index, bytes))
  const { gossip } = nodes[0]
  const begun = now()
  const times = []
  for (let index = 0; index < count; index++) {
    if (rate > 0) {
      const left = begun + index / rate - now()
      if (left > 0) await sleep(left)
      times.push(now())
    }
    await gossip.publish(TOPIC, messages[index])
  }
  return { begun, times }
}

async function received ({ silent }) {
  let complete = false
  const all = Promise.all(nodes.map(async node => await node.wait())).then(() => { complete = true })
  let before = -1
  for (let count = counted(); !complete && before < count; count = counted()) {
    before = count
    await Promise.race([all, sleep(silent)])
  }
  return { nodes: nodes.map(node => node.report()) }
}

function counted () {
  return nodes.reduce((sum, node) => sum + node.count, 0)
}

await serve(async ({ do: name, id, ...fields }) => {
  if (!Object.hasOwn(COMMANDS, name)) throw new Error(`no command ${name}`)
  return await COMMANDS[name](fields)
})
await Promise.all(nodes.map(async node => await node.host.stop()))
process.exit(0)
