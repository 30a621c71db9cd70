// Commands: one method for each request of ../../README.md.

import { createRequire } from 'node:module'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { BadRequest, emit } from './channel.js'
import { features } from './features.js'
import { complete } from './fields.js'
import { FRAMES } from './frames.js'
import { createHost } from './host.js'
import { PERF, runPerf, servePerf } from './perf.js'
import * as scripts from './scripts.js'
import { echo, served } from './served.js'
import { Streams } from './streams.js'

const VERSION = createRequire(import.meta.url)('./package.json').dependencies.libp2p
const STREAMS = { maxInboundStreams: 1024, maxOutboundStreams: 1024, runOnLimitedConnection: true }
const DEFAULTS = {
  identity: 'ed25519',
  secret: undefined,
  security: ['tls', 'noise'],
  transports: ['tcp'],
  muxers: ['yamux'],
  listen: ['/ip4/127.0.0.1/tcp/0'],
  gossipsub: undefined,
  kad: undefined,
  mdns: undefined,
  rendezvous: undefined,
  relay: undefined,
  dcutr: undefined,
  autonat: undefined,
  external: []
}

export class Commands {
  #host = null
  #streams = new Streams()
  #known = new Map()
  #table = {
    'start': [DEFAULTS, fields => this.#start(fields)],
    'listen-addresses': [{}, () => ({ addresses: this.#addresses() })],
    'listen': [{ address: null }, fields => this.#listenOn(fields)],
    'dial': [{ address: null }, fields => this.#dial(fields)],
    'disconnect': [{ peer: null }, fields => this.#disconnect(fields)],
    'connections': [{}, () => this.#connections()],
    'identify': [{ peer: null }, fields => this.#identify(fields)],
    'handle': [{ protocol: null }, fields => this.#serve(fields.protocol, echo)],
    'unhandle': [{ protocol: null }, fields => this.#host.unhandle(fields.protocol)],
    'ping': [{ peer: null }, fields => this.#ping(fields)],
    'perf': [{ peer: null, upload: null, download: null }, fields => this.#perf(fields)],
    'echo': [script('/test/echo/1', { streams: 1 }), fields => this.#echo(fields)],
    'sink': [script('/test/sink/1'), fields => this.#run(fields, scripts.sink)],
    'source': [script('/test/source/1', { hold: false }), fields => this.#run(fields, scripts.source)],
    'half-close': [script('/test/half-close/1'), fields => this.#run(fields, scripts.halfClose)],
    'expect-reset': [script('/test/reset/1'), fields => this.#run(fields, scripts.expectReset)],
    'send-reset': [script('/test/echo/1'), fields => this.#run(fields, scripts.sendReset)],
    'frames': [
      { peer: null, sizes: null, seed: null, protocol: FRAMES },
      fields => this.#run(fields, scripts.frames)
    ],
    'release': [{ stream: null }, fields => this.#streams.release(fields.stream)],
    'streams': [{}, () => ({ streams: this.#streams.list() })]
  }

  async handle ({ id, do: name, ...given }) {
    if (!Object.hasOwn(this.#table, name)) throw new BadRequest(`no command ${name}`)
    if ((name === 'start') !== (this.#host == null)) throw new BadRequest('start comes first, once')
    const [defaults, run] = this.#table[name]
    return await run(complete(given, defaults))
  }

  async stop () {
    await this.#host?.stop()
  }

  async #start (settings) {
    const more = features(settings)
    Object.assign(this.#table, more.commands)
    this.#host = await createHost(settings, more)
    this.#listen()
    for (const [protocol, behaviour] of Object.entries(served)) {
      await this.#serve(protocol, behaviour, protocol === '/test/stall/1')
    }
    await this.#host.handle(PERF, servePerf, STREAMS)
    return {
      peer: this.#host.peerId.toString(),
      addresses: this.#addresses(),
      implementation: 'js-libp2p',
      version: VERSION
    }
  }

  #listen () {
    const tellOf = name => event => emit(name, { peer: event.detail.remotePeer.toString() })
    this.#host.addEventListener('connection:open', tellOf('connected'))
    this.#host.addEventListener('connection:close', tellOf('disconnected'))
    this.#host.addEventListener('peer:identify', event => this.#identified(event.detail))
  }

  #identified (result) {
    const facts = {
      agent: result.agentVersion ?? '',
      protocol_version: result.protocolVersion ?? '',
      protocols: result.protocols,
      addresses: result.listenAddrs.map(String)
    }
    this.#known.set(result.peerId.toString(), facts)
    emit('identified', { peer: result.peerId.toString(), ...facts })
  }

  // Not getMultiaddrs(), which leaves out public addresses that nobody has confirmed.
  #addresses () {
    const self = `/p2p/${this.#host.peerId}`
    const bound = this.#host.components.transportManager.getAddrs().map(String)
    return bound.map(address => address.endsWith(self) ? address : address + self)
  }

  async #listenOn ({ address }) {
    const before = this.#addresses()
    await this.#host.components.transportManager.listen([multiaddr(address)])
    return { addresses: this.#addresses().filter(each => !before.includes(each)) }
  }

  async #dial ({ address }) {
    const connection = await this.#host.dial(multiaddr(address))
    return { peer: connection.remotePeer.toString() }
  }

  async #disconnect ({ peer }) {
    await this.#host.hangUp(peerIdFromString(peer))
  }

  #connections () {
    const connections = this.#host.getConnections().map(connection => ({
      peer: connection.remotePeer.toString(),
      direction: connection.direction,
      address: connection.remoteAddr.toString(),
      encryption: connection.encryption ?? null,
      muxer: connection.multiplexer ?? null
    }))
    return { connections }
  }

  #identify ({ peer }) {
    const facts = this.#known.get(peer)
    if (facts == null) throw new Error(`nothing is known of ${peer}`)
    return facts
  }

  async #ping ({ peer }) {
    return { milliseconds: await this.#host.services.ping.ping(peerIdFromString(peer)) }
  }

  async #perf (fields) {
    return await runPerf(await this.#open(fields.peer, PERF), fields)
  }

  async #echo (fields) {
    const opening = Array.from({ length: fields.streams }, () => this.#open(fields.peer, fields.protocol))
    const streams = await Promise.all(opening)
    return { streams: await Promise.all(streams.map(stream => this.#runOn(stream, fields, scripts.echo))) }
  }

  async #run (fields, behaviour) {
    return await this.#runOn(await this.#open(fields.peer, fields.protocol), fields, behaviour)
  }

  async #runOn (stream, fields, behaviour) {
    const run = (pipe, released) => behaviour(pipe, fields, released)
    return await this.#streams.run(stream, fields.peer, 'opener', run, { held: fields.hold })
  }

  async #open (peer, protocol) {
    const [connection] = this.#host.getConnections(peerIdFromString(peer))
    if (connection == null) throw new Error(`not connected to ${peer}`)
    return await connection.newStream(protocol, STREAMS)
  }

  async #serve (protocol, behaviour, held = false) {
    const serve = async (stream, connection) => {
      try {
        await this.#streams.run(stream, connection.remotePeer, 'accepter', behaviour, { held })
      } catch (error) {
        console.error(`${protocol}:`, error.message)
      }
    }
    await this.#host.handle(protocol, serve, STREAMS)
  }
}

function script (protocol, more = {}) {
  return { peer: null, bytes: null, seed: null, protocol, ...more }
}
