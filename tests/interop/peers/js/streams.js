// Streams: numbers the scripted streams of both sides, tells of their beginning and end, and
// holds those that shall wait.

import { emit, BadRequest } from './channel.js'
import { sha256 } from './pattern.js'
import { Pipe } from './pipe.js'

export class Streams {
  #open = new Map()
  #last = 0

  /** Run `script(pipe, released)` over a stream; whatever it throws resets the stream. */
  async run (stream, peer, role, script, { held = false } = {}) {
    const entry = this.#add(stream, peer, role, held)
    let error = null
    try {
      return await script(entry.pipe, entry.released)
    } catch (caught) {
      error = caught
      throw caught
    } finally {
      if (error != null) entry.pipe.reset()
      this.#remove(entry, error)
    }
  }

  list () {
    return [...this.#open.values()].map(({ pipe, facts }) => {
      return { ...facts, sent: pipe.sent, received: pipe.received }
    })
  }

  release (number) {
    const entry = this.#open.get(number)
    if (entry == null) throw new BadRequest(`no open stream ${number}`)
    entry.release()
  }

  #add (stream, peer, role, held) {
    const facts = { stream: ++this.#last, protocol: stream.protocol, peer: peer.toString(), role }
    let release = () => {}
    const released = held ? new Promise(resolve => { release = resolve }) : Promise.resolve()
    const entry = { facts, release, released, pipe: new HashedPipe(stream) }
    this.#open.set(facts.stream, entry)
    emit('stream-opened', facts)
    return entry
  }

  #remove ({ facts, pipe }, error) {
    this.#open.delete(facts.stream)
    emit('stream-ended', {
      ...facts,
      how: error == null && !pipe.wasReset ? 'end' : 'reset',
      sent: pipe.sent,
      received: pipe.received,
      received_sha256: pipe.digest(),
      error: error == null ? null : `${error.name}: ${error.message}`
    })
  }
}

class HashedPipe extends Pipe {
  wasReset = false
  #hash = sha256()

  async receive () {
    const chunk = await super.receive()
    if (chunk != null) this.#hash.update(chunk)
    return chunk
  }

  reset () {
    this.wasReset = true
    super.reset()
  }

  digest () {
    return this.#hash.digest('hex')
  }
}
