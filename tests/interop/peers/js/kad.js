// kad: the service as a `start` request describes it, and the commands about it.

import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import { complete, hex, unhex } from './fields.js'

const DEFAULTS = { protocol: '/ipfs/kad/1.0.0', mode: 'server' }

export class Kad {
  #components
  #service

  constructor (settings) {
    const { protocol, mode } = complete(settings, DEFAULTS)
    this.create = components => {
      this.#components = components
      this.#service = kadDHT({
        protocol,
        clientMode: mode === 'client',
        validators: { test: () => {} },
        selectors: { test: (_key, values) => greatest(values) },
        // By default it passes on no addresses of this machine, and asks nobody before it has
        // asked for itself.
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true
      })(components)
      return this.#service
    }
  }

  commands () {
    const key = { key: null }
    return {
      'kad-add': [{ address: null }, fields => this.#add(multiaddr(fields.address))],
      'kad-table': [{}, () => ({ peers: this.#table() })],
      'kad-bootstrap': [{}, () => this.#service.refreshRoutingTable()],
      'kad-closest': [key, fields => this.#closest(unhex(fields.key))],
      'kad-find': [{ peer: null }, fields => this.#find(peerIdFromString(fields.peer))],
      'kad-put': [{ key: null, value: null }, fields => drain(this.#service.put(unhex(fields.key), unhex(fields.value)))],
      'kad-get': [key, fields => this.#get(unhex(fields.key))],
      'kad-provide': [key, fields => drain(this.#service.provide(cidOf(fields.key)))],
      'kad-providers': [key, fields => this.#providers(cidOf(fields.key))]
    }
  }

  async #add (address) {
    const peer = peerIdFromString(address.toString().split('/p2p/').at(-1))
    await this.#components.peerStore.merge(peer, { multiaddrs: [address] })
    await this.#service.routingTable.add(peer)
  }

  #table () {
    const { kb } = this.#service.routingTable
    return [...kb.toIterable()].map(({ peerId }) => peerId.toString())
  }

  async #closest (key) {
    const peers = []
    for await (const event of this.#service.getClosestPeers(key)) {
      if (event.name === 'FINAL_PEER') peers.push(event.peer.id.toString())
    }
    return { peers }
  }

  async #find (peer) {
    for await (const event of this.#service.findPeer(peer)) {
      if (event.name === 'FINAL_PEER') return { addresses: event.peer.multiaddrs.map(String) }
    }
    throw new Error(`nobody knows ${peer}`)
  }

  async #get (key) {
    for await (const event of this.#service.get(key)) {
      if (event.name === 'VALUE') return { value: hex(event.value) }
    }
    throw new Error('nobody has a value')
  }

  async #providers (cid) {
    const peers = new Set()
    for await (const event of this.#service.findProviders(cid)) {
      for (const provider of event.name === 'PROVIDER' ? event.providers : []) peers.add(provider.id.toString())
    }
    return { peers: [...peers] }
  }
}

function cidOf (key) {
  return CID.createV1(raw.code, Digest.decode(unhex(key)))
}

function greatest (values) {
  return values.reduce((best, value, index) => Buffer.compare(value, values[best]) > 0 ? index : best, 0)
}

async function drain (events) {
  let error = null
  let reached = 0
  for await (const event of events) {
    if (event.name === 'QUERY_ERROR') error = event.error
    if (event.name === 'PEER_RESPONSE') reached += 1
  }
  if (reached === 0) throw error ?? new Error('nobody to tell')
}
