// createHost: a js-libp2p node as a `start` request describes it.

import { noise } from '@chainsafe/libp2p-noise'
import { quic } from '@chainsafe/libp2p-quic'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { createLibp2p } from 'libp2p'
import { Unsupported } from './channel.js'
import { unhex } from './fields.js'

const KEY_TYPES = { ed25519: 'Ed25519', secp256k1: 'secp256k1', rsa: 'RSA', ecdsa: 'ECDSA' }
const TRANSPORTS = { tcp: () => tcp(), quic: () => quic() }
const SECURITIES = { tls: () => tls(), noise: () => noise() }
const MUXERS = { yamux: () => yamux({ streamOptions: { maxReadBufferLength: READ_BUFFER_BYTES } }) }

// A paused stream keeps what its window still lets in and resets itself when that passes the
// bound; js-libp2p lets the window grow to 16 MiB but keeps 4 by default.
const READ_BUFFER_BYTES = 17 * 1024 * 1024

// All connections of a test come from one address, and js-libp2p takes five a second from each.
const CONNECTIONS_PER_SECOND = 1000

const NO_FEATURES = { transports: [], peerDiscovery: [], services: {} }

/** `more` is what `features` gives; the benchmarks' worker wants none. */
export async function createHost (settings, more = NO_FEATURES) {
  return await createLibp2p({
    privateKey: await createKey(settings),
    addresses: { listen: settings.listen, appendAnnounce: settings.external },
    transports: [...settings.transports.map(name => named(TRANSPORTS, name)()), ...more.transports],
    connectionEncrypters: settings.security.map(name => named(SECURITIES, name)()),
    streamMuxers: settings.muxers.map(name => named(MUXERS, name)()),
    connectionManager: { inboundConnectionThreshold: CONNECTIONS_PER_SECOND },
    peerDiscovery: more.peerDiscovery,
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      ...more.services
    }
  })
}

async function createKey ({ identity, secret }) {
  if (secret !== undefined) return await generateKeyPairFromSeed('Ed25519', unhex(secret))
  return await generateKeyPair(named(KEY_TYPES, identity))
}

function named (table, name) {
  if (!Object.hasOwn(table, name)) throw new Unsupported(`this peer has no ${name}`)
  return table[name]
}
