// Features: what a `start` request switches on besides the plain node.

import { Unsupported } from './channel.js'
import { Gossip } from './gossip.js'
import { Kad } from './kad.js'
import { createAutonat, createDcutr, createMdns, createRelay } from './reach.js'

const NO_RENDEZVOUS = '@canvas-js/libp2p-rendezvous 0.5.2 is made for js-libp2p 2 and speaks ' +
  '/canvas/rendezvous/1.0.0 (lib/server/RendezvousServer.js)'

/** The parts of a node for these settings, and the commands that come with them. */
export function features ({ gossipsub, kad, mdns, rendezvous, relay, dcutr, autonat }) {
  if (rendezvous !== undefined) throw new Unsupported(NO_RENDEZVOUS)
  const gossip = gossipsub && new Gossip(gossipsub)
  const table = kad && new Kad(kad)
  const relayed = relay ? createRelay(relay) : { transports: [], services: {} }
  return {
    transports: relayed.transports,
    peerDiscovery: mdns ? [createMdns(mdns)] : [],
    services: {
      ...relayed.services,
      ...(gossip ? { gossip: gossip.create } : {}),
      ...(table ? { kad: table.create } : {}),
      ...(dcutr ? { dcutr: createDcutr(dcutr) } : {}),
      ...(autonat ? createAutonat(autonat) : {})
    },
    commands: { ...gossip?.commands(), ...table?.commands() }
  }
}
