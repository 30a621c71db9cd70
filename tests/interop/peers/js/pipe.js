// Pipe: a libp2p stream with an awaitable read and write that hold the other side back.

const HIGH_WATER_BYTES = 256 * 1024

export class StreamBroken extends Error {
  name = 'StreamBroken'
}

export class Pipe {
  received = 0
  sent = 0
  #stream
  #queue = []
  #unread = null
  #queuedBytes = 0
  #wake = () => {}
  #remoteEnded
  #over = false
  #error = null

  constructor (stream) {
    this.#stream = stream
    this.#remoteEnded = stream.remoteWriteStatus === 'closed'
    stream.addEventListener('remoteCloseWrite', () => { this.#remoteEnded = true })
    stream.addEventListener('end', () => this.#finish())
    stream.addEventListener('close', event => this.#finish(event.error))
    this.#pause()
    stream.addEventListener('message', event => this.#take(event.data))
    this.#finishIfEnded()
  }

  /** The next bytes, or null at the clean end; throws StreamBroken after any other end. */
  async read () {
    const unread = this.#unread
    this.#unread = null
    return unread ?? await this.receive()
  }

  /** What `read` gives, as it comes from the stream. */
  async receive () {
    while (this.#queue.length === 0) {
      this.#finishIfEnded()
      if (this.#error != null) throw this.#error
      if (this.#over) return null
      const woken = new Promise(resolve => { this.#wake = resolve })
      this.#resume()
      await woken
    }
    const chunk = this.#queue.shift()
    this.#queuedBytes -= chunk.byteLength
    this.received += chunk.byteLength
    return chunk
  }

  /** Exactly `count` bytes; what came behind them is read next. */
  async readExactly (count) {
    const chunks = []
    let missing = count
    while (missing > 0) {
      const chunk = await this.read()
      if (chunk == null) throw new StreamBroken(`ended ${missing} bytes early`)
      const part = chunk.subarray(0, missing)
      this.putBack(chunk.subarray(part.byteLength))
      chunks.push(part)
      missing -= part.byteLength
    }
    return Buffer.concat(chunks)
  }

  /** Give back what was read too much; it is read next. */
  putBack (chunk) {
    if (chunk.byteLength > 0) this.#unread = chunk
  }

  /** Send, and wait until the stream can take more. */
  async write (chunk) {
    if (this.#error != null) throw this.#error
    if (!this.#stream.send(chunk)) await this.#drained()
    this.sent += chunk.byteLength
  }

  async closeWrite () {
    await this.#stream.close()
  }

  reset () {
    this.#stream.abort(new StreamBroken('reset here, on purpose'))
  }

  #take (data) {
    const chunk = Buffer.from(data.subarray())
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.byteLength
    // Not at once: resume() hands out what is buffered before it opens the window again, so a
    // pause from within would be undone and the stream would fill its buffer and reset itself.
    if (this.#queuedBytes >= HIGH_WATER_BYTES) queueMicrotask(() => this.#pause())
    this.#wake()
  }

  // A stream tells of its end once, which may be while the negotiation of its protocol still holds
  // the bytes that came before and gives them back.
  #finishIfEnded () {
    if (this.#stream.readableEnded) this.#finish()
  }

  #finish (error) {
    const unread = error == null && this.#stream.readBufferLength > 0
    if (this.#over || unread) return
    this.#over = true
    const status = this.#stream.status
    if (error != null || status === 'reset' || status === 'aborted') {
      this.#error = new StreamBroken(error?.message ?? `stream is ${status}`)
    } else if (!this.#remoteEnded) {
      this.#error = new StreamBroken('the connection was lost')
    }
    this.#wake()
  }

  // Stream.onDrain() keeps its first promise, so it waits only once in a stream's life.
  async #drained () {
    while (this.#stream.writableNeedsDrain) {
      if (this.#error != null) throw this.#error
      if (this.#stream.writeStatus === 'closed') throw new StreamBroken('the stream is closed')
      await new Promise(resolve => {
        const done = () => {
          this.#stream.removeEventListener('drain', done)
          this.#stream.removeEventListener('close', done)
          resolve()
        }
        this.#stream.addEventListener('drain', done)
        this.#stream.addEventListener('close', done)
      })
    }
  }

  #pause () {
    if (this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  #resume () {
    if (this.#stream.readStatus === 'paused') this.#stream.resume()
  }
}
