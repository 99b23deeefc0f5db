import { connect, type Socket } from 'node:net'

/** What a network is like at the moment, for all of its connections. */
export interface Weather {
  /** How much later bytes are passed on, in milliseconds. */
  delayMs: number
  /** Whether the bytes of a side are lost. */
  readonly swallows: { client: boolean; server: boolean }
}

type Side = keyof Weather['swallows']

/** Bytes of one direction that wait for their time; undefined stands for the end of it. */
interface Late {
  readonly atMs: number
  readonly bytes: Buffer | undefined
}

/** Most bytes of one direction that wait before its source is held up. */
const waitingBytesMax = 1 << 20

/** One client's connection through the proxy, and the proxy's own to the server for it. */
export class ProxiedConnection {
  readonly #ends: Readonly<Record<Side, Socket>>
  #openEnds = 2
  #hasLostBytes = false
  #ended: () => void = () => {}

  constructor(client: Socket, target: { readonly host: string; readonly port: number }, weather: Weather) {
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true })
    this.#ends = { client, server }
    for (const end of [client, server]) {
      // An error is followed by 'close', which is where it is dealt with.
      end.on('error', () => {})
      end.on('close', (hadError) => this.#closed(hadError))
    }
    this.#pass('client', 'server', weather)
    this.#pass('server', 'client', weather)
  }

  /** Whether bytes were swallowed, so that what comes after them would make no sense. */
  get hasLostBytes(): boolean {
    return this.#hasLostBytes
  }

  /** To be told when both ends are closed. */
  onEnd(ended: () => void): void {
    this.#ended = ended
  }

  /** Resets both ends. */
  reset(): void {
    for (const end of Object.values(this.#ends)) reset(end)
  }

  /** Ends one direction; the other goes on. */
  endFrom(side: Side): void {
    const opposite = this.#ends[side === 'client' ? 'server' : 'client']
    if (opposite.writable) opposite.end()
  }

  #closed(hadError: boolean): void {
    this.#openEnds -= 1
    if (this.#openEnds === 0) this.#ended()
    // A reset is passed on as one. After an orderly end the other side has been told by then, and ends by itself.
    else if (hadError) this.reset()
  }

  #pass(from: Side, to: Side, weather: Weather): void {
    const [source, sink] = [this.#ends[from], this.#ends[to]]
    const late: Late[] = []
    let waitingBytes = 0
    const write = (bytes: Buffer | undefined): void => {
      // After `endFrom` what still comes has nowhere to go.
      if (!sink.writable) return
      if (bytes === undefined) sink.end()
      else if (!sink.write(bytes)) source.pause()
    }
    const deliverDue = (): void => {
      while (late[0] !== undefined && late[0].atMs <= nowMs()) {
        const [due] = late.splice(0, 1)
        waitingBytes -= due?.bytes?.length ?? 0
        write(due?.bytes)
      }
      if (late[0] !== undefined) inMs(deliverDue, late[0].atMs - nowMs())
      else if (sink.writableLength === 0) source.resume()
    }
    const take = (bytes: Buffer | undefined): void => {
      if (bytes !== undefined && weather.swallows[from]) {
        this.#hasLostBytes = true
        return
      }
      // What comes after delayed bytes waits behind them, also when the delay has ended meanwhile.
      if (weather.delayMs === 0 && late.length === 0) {
        write(bytes)
        return
      }
      late.push({ atMs: nowMs() + weather.delayMs, bytes })
      waitingBytes += bytes?.length ?? 0
      if (waitingBytes > waitingBytesMax) source.pause()
      if (late.length === 1) inMs(deliverDue, weather.delayMs)
    }
    source.on('data', take)
    source.on('end', () => take(undefined))
    sink.on('drain', () => {
      if (waitingBytes <= waitingBytesMax) source.resume()
    })
  }
}

/**
 * A socket that is reset in the turn in which it sends its end is lost: that is refused, Node takes it for closed all the
 * same, and at the end of the process waits for it for ever. The end takes no longer than that turn, so it comes first.
 */
function reset(end: Socket): void {
  const isSendingEnd = end.writableEnded && end.writableLength === 0 && !end.writableFinished
  if (isSendingEnd) end.once('finish', () => end.resetAndDestroy())
  else end.resetAndDestroy()
}

// tidy-allow monotonic-clock: a network lives on the machine's time
const nowMs = (): number => performance.now()

function inMs(work: () => void, ms: number): void {
  // tidy-allow timer: a network lives on the machine's time
  setTimeout(work, Math.max(1, Math.ceil(ms)))
}
