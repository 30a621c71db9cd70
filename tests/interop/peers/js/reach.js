// How this peer is found and reached: mDNS, relay, DCUtR, AutoNAT. One function for each service.

import { autoNAT } from '@libp2p/autonat'
import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { mdns } from '@libp2p/mdns'
import { BadRequest, emit, Unsupported } from './channel.js'
import { complete, given } from './fields.js'

const MDNS = { service: undefined, interval_seconds: undefined }
const RELAY = {
  server: false,
  reservations: undefined,
  reservation_seconds: undefined,
  circuit_seconds: undefined,
  circuit_bytes: undefined
}
const AUTONAT = { v1: 'off', v2: 'off' }

export function createMdns (settings) {
  const { service, interval_seconds: seconds } = complete(settings, MDNS)
  const create = mdns(given({ serviceTag: service, interval: seconds && 1000 * seconds }))
  return components => {
    const discovery = create(components)
    discovery.addEventListener('peer', ({ detail }) => {
      emit('discovered', { peer: detail.id.toString(), addresses: detail.multiaddrs.map(String) })
    })
    return discovery
  }
}

export function createRelay (settings) {
  const fields = complete(settings, RELAY)
  const reservations = given({
    maxReservations: fields.reservations,
    reservationTtl: fields.reservation_seconds && 1000 * fields.reservation_seconds,
    defaultDurationLimit: fields.circuit_seconds && 1000 * fields.circuit_seconds,
    defaultDataLimit: fields.circuit_bytes && BigInt(fields.circuit_bytes)
  })
  return {
    transports: [circuitTransport],
    services: fields.server ? { relay: circuitRelayServer({ reservations }) } : {}
  }
}

export function createDcutr (settings) {
  complete(settings, {})
  return components => {
    const service = dcutr()(components)
    for (const name of ['upgradeInbound', 'handleIncomingUpgrade']) {
      const upgrade = service[name].bind(service)
      service[name] = async (...args) => {
        await tellOfPunch(args.at(-1).remotePeer, components, () => upgrade(...args))
      }
    }
    return service
  }
}

export function createAutonat (settings) {
  const fields = complete(settings, AUTONAT)
  return {
    ...(isOn(fields.v1) ? { autonat: components => autoNAT()(watched(components, 'v1')) } : {}),
    ...(isOn(fields.v2) ? { autonatV2: components => autoNATv2()(watched(components, 'v2')) } : {})
  }
}

function circuitTransport (components) {
  const transport = circuitRelayTransport()(components)
  const relays = new Set()
  transport.reservationStore.addEventListener('relay:created-reservation', ({ detail }) => {
    const relay = detail.relay.toString()
    emit('reserved', { relay, renewal: relays.has(relay) })
    relays.add(relay)
  })
  return transport
}

// It tries three times and keeps what went wrong to itself.
async function tellOfPunch (peer, components, upgrade) {
  let error = null
  try {
    await upgrade()
  } catch (caught) {
    error = caught.message
  }
  const direct = components.connectionManager.getConnections(peer).some(each => each.direct)
  emit('hole-punched', { peer: peer.toString(), error: direct ? null : error ?? 'there is no direct connection' })
}

function isOn (role) {
  if (role === 'client' || role === 'server') {
    throw new Unsupported('js-libp2p is client and server of AutoNAT at once')
  }
  if (role !== 'both' && role !== 'off') throw new BadRequest(`no role ${role}`)
  return role === 'both'
}

/** The components of a service, of which the address manager tells what the service finds out. */
function watched (components, by) {
  const tellOf = (reachable, address) => emit('reachability', { address: address.toString(), reachable, by })
  const verdicts = { confirmObservedAddr: true, removeObservedAddr: false }
  const addressManager = new Proxy(components.addressManager, {
    get (target, name) {
      const value = target[name]
      if (typeof value !== 'function') return value
      return (address, ...rest) => {
        if (Object.hasOwn(verdicts, name)) tellOf(verdicts[name], address)
        return value.call(target, address, ...rest)
      }
    }
  })
  return new Proxy(components, {
    get: (target, name) => name === 'addressManager' ? addressManager : target[name]
  })
}
