// gossipsub: the service as a `start` request describes it, and the commands about it.

import { gossipsub } from '@libp2p/gossipsub'
import { emit, Unsupported } from './channel.js'
import { complete, given, hex } from './fields.js'
import { pattern, sha256 } from './pattern.js'

const DEFAULTS = {
  signing: 'strict-sign',
  message_id: 'library',
  d: undefined,
  d_low: undefined,
  d_high: undefined,
  d_lazy: undefined,
  d_out: undefined,
  heartbeat_seconds: 1,
  flood_publish: true,
  max_bytes: 1048576,
  scores: false,
  verdict: 'accept'
}
const POLICIES = { 'strict-sign': 'StrictSign', 'strict-no-sign': 'StrictNoSign' }
// It always scores, and by default so that peers of one address are pushed out of each other's mesh.
const NO_SCORES = { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0, appSpecificWeight: 0 }

export class Gossip {
  #verdict
  #service
  #hashed

  constructor (settings) {
    const fields = complete(settings, DEFAULTS)
    if (!Object.hasOwn(POLICIES, fields.signing)) {
      throw new Unsupported(`js-libp2p's gossipsub has no signing policy ${fields.signing}`)
    }
    this.#verdict = fields.verdict
    this.#hashed = fields.message_id === 'sha256'
    this.create = components => {
      this.#service = gossipsub(this.#optionsOf(fields))(components)
      this.#listen()
      return this.#service
    }
  }

  commands () {
    const topic = { topic: null }
    return {
      'subscribe': [topic, fields => this.#subscribe(fields.topic)],
      'unsubscribe': [topic, fields => this.#service.unsubscribe(fields.topic)],
      'publish': [{ topic: null, bytes: null, seed: null }, fields => this.#publish(fields)],
      'mesh': [topic, fields => ({ peers: this.#service.getMeshPeers(fields.topic) })],
      'subscribers': [topic, fields => ({ peers: this.#service.getSubscribers(fields.topic).map(String) })],
      'score': [{ peer: null }, fields => ({ score: this.#service.getScore(fields.peer) })]
    }
  }

  #optionsOf (fields) {
    return {
      globalSignaturePolicy: POLICIES[fields.signing],
      msgIdToStrFn: hex,
      ...(this.#hashed ? { msgIdFn: message => sha256().update(message.data).digest() } : {}),
      ...given({ D: fields.d, Dlo: fields.d_low, Dhi: fields.d_high, Dlazy: fields.d_lazy, Dout: fields.d_out }),
      heartbeatInterval: 1000 * fields.heartbeat_seconds,
      floodPublish: fields.flood_publish,
      maxInboundDataLength: fields.max_bytes,
      ...(fields.scores ? {} : { scoreParams: NO_SCORES })
    }
  }

  #listen () {
    this.#service.addEventListener('gossipsub:message', ({ detail }) => tellOfMessage(detail))
    this.#service.addEventListener('subscription-change', ({ detail }) => {
      for (const { topic, subscribe } of detail.subscriptions) {
        emit(subscribe ? 'subscribed' : 'unsubscribed', { peer: detail.peerId.toString(), topic })
      }
    })
  }

  #subscribe (topic) {
    this.#service.topicValidators.set(topic, () => this.#verdict)
    this.#service.subscribe(topic)
  }

  async #publish ({ topic, bytes, seed }) {
    const data = Buffer.concat([...pattern(seed, bytes)])
    await this.#service.publish(topic, data)
    return { message: this.#hashed ? sha256().update(data).digest('hex') : null }
  }
}

function tellOfMessage ({ propagationSource, msgId, msg }) {
  emit('message', {
    topic: msg.topic,
    author: msg.type === 'signed' ? msg.from.toString() : null,
    from: propagationSource.toString(),
    message: msgId,
    bytes: msg.data.byteLength,
    sha256: sha256().update(msg.data).digest('hex')
  })
}
