import { type Headers, PosthasteError } from '@posthaste/contracts'
import { type LinkStream, lastMessage, type StreamSink } from '../../src/connection/types.ts'
import type { Random } from './random.ts'
import { Fault } from './world.ts'

/** What a sink does with what it is told. */
export type Conduct = 'echo' | 'hold' | 'flood' | 'fail' | 'silent' | 'early'

const large = Buffer.alloc(9000, 'fuzz')

/** A sink that answers after its own fashion, and watches that it is told things in their order. */
export class WatchedSink implements StreamSink {
  readonly holdsCredit: boolean
  readonly #conduct: Conduct
  readonly #random: Random
  #stream: LinkStream | undefined
  #held: number[] = []
  #otherEnded = false
  #ended = false
  #failed = false
  #told = false
  /** Kept, because a connection catches what a sink throws. */
  #fault: Fault | undefined

  constructor(conduct: Conduct, random: Random) {
    this.#conduct = conduct
    this.#random = random
    this.holdsCredit = conduct === 'hold'
  }

  /** Says which stream it is the sink of, and whether this side ended it when it opened it. */
  attach(stream: LinkStream, ended = false): void {
    this.#stream = stream
    this.#ended = ended
    if (this.#conduct === 'early') this.#answer(lastMessage)
  }

  message(body: Uint8Array, flags: number): void {
    this.#check('message')
    if (this.holdsCredit) this.#held.push(body.length)
    if ((flags & lastMessage) !== 0) this.#otherEnded = true
    if (this.#conduct === 'fail') this.#fail()
    else if (this.#conduct === 'echo') this.#stream?.send(body, flags & lastMessage)
    else if (this.#conduct === 'flood') this.#flood()
    if (this.#conduct === 'echo' && this.#otherEnded) this.#ended = true
  }

  ended(_metadata: Headers): void {
    this.#check('end')
    this.#otherEnded = true
    if (this.#conduct !== 'silent') this.#end()
  }

  failed(error: PosthasteError): void {
    if (this.#told) this.#note('failed twice')
    if (!PosthasteError.is(error)) this.#note('failed with no error of ours')
    this.#told = true
    // Whoever works on a stream says when the work is over.
    this.#end()
  }

  writable(): void {
    if (this.#told || this.#failed) this.#note('writable after the failure')
  }

  /** Something that comes from above, in a turn of its own. */
  stir(): void {
    const dice = this.#random.below(6)
    for (const bytes of this.#held) this.#stream?.consumed(bytes)
    this.#held = []
    if (dice === 0) this.#fail()
    else if (dice === 1) this.#answer(0)
    else if (dice === 2) this.#end()
  }

  /** The connection is gone: says what was wrong, if anything. */
  checkOver(): void {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#told || this.#failed || (this.#ended && this.#otherEnded)) return
    throw new Fault(`a sink was not told that its stream is over: ${this.#conduct}`)
  }

  #check(what: string): void {
    if (this.#told) this.#note(`${what} after the failure`)
    if (this.#failed) this.#note(`${what} after this side failed the stream`)
    if (this.#otherEnded) this.#note(`${what} after the end`)
  }

  #note(what: string): void {
    this.#fault ??= new Fault(`a sink that was to ${this.#conduct} was told: ${what}`)
  }

  #answer(flags: number): void {
    this.#stream?.send(large.subarray(0, this.#random.below(200)), flags)
    if ((flags & lastMessage) !== 0) this.#ended = true
  }

  #flood(): void {
    for (let count = 0; count < 4; count++) this.#stream?.send(large)
  }

  #fail(): void {
    this.#failed = true
    this.#stream?.fail(new PosthasteError('CONFLICT', 'enough'))
  }

  #end(): void {
    this.#stream?.end(this.#random.once(3) ? { done: 'yes' } : undefined)
    this.#ended = true
  }
}
