import type { Side } from '../../src/wire/frame-rules.ts'
import { BookKeeping } from './by-the-book.ts'
import { ClientTarget } from './client-target.ts'
import { checkHonest } from './honest-client.ts'
import { type Input, inputOf } from './inputs.ts'
import { Moving } from './moving.ts'
import { Random } from './random.ts'
import { checkReading } from './reading.ts'
import { ServerTarget } from './server-target.ts'

/** What is fuzzed, and how long. */
export interface FuzzRun {
  /** How many inputs there are. */
  readonly inputs: number
  /** Number of the first of them: one that failed is run again by its number. */
  readonly from: number
  readonly seed: number
  /** Told every few thousand inputs how many there have been. */
  readonly progress?: (done: number) => void
}

/** What was done. */
export interface FuzzFigures {
  /** Inputs to a reader alone, read twice each. */
  readonly reader: number
  /** Inputs to a whole connection of a server. */
  readonly server: number
  /** Inputs to a whole connection of a client. */
  readonly client: number
  /** Clients that keep to the credit they have, and at last may not. */
  readonly books: number
  /** Clients whose server went away, and who went on with another. */
  readonly moves: number
  /** Frames that were well formed among those of the reader's inputs. */
  readonly frames: number
  readonly bytes: number
  /** Honest clients that came after inputs to the server. */
  readonly honest: number
}

/** An input that did what none should do. */
export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure'
}

const honestEvery = 1000
const progressEvery = 5000

type Kind = Exclude<keyof FuzzFigures, 'frames' | 'bytes' | 'honest'>

/**
 * Gives inputs to readers, servers and clients: of twenty, thirteen to a reader, four to a server's connection, two to a
 * client's; and one is no input but a program of what both sides do.
 * @throws FuzzFailure naming the first input that crashes something, or after which something is wrong
 */
export async function fuzz({ inputs, from, seed, progress }: FuzzRun): Promise<FuzzFigures> {
  const server = new ServerTarget()
  const client = new ClientTarget()
  const figures = { reader: 0, server: 0, client: 0, books: 0, moves: 0, frames: 0, bytes: 0, honest: 0 }
  const uncaught = new Uncaught()
  try {
    for (let number = from; number < from + inputs; number++) {
      const random = new Random(seed, number)
      const kind = kindOf(number)
      const input = hasInput(kind) ? inputOf(random, senderOf(kind, number)) : undefined
      figures.bytes += input?.bytes.length ?? 0
      try {
        if (input === undefined) await play(kind, random)
        else if (kind === 'reader') figures.frames += checkReading(input)
        else if (kind === 'server') await server.check(input, random)
        else await client.check(input, random)
        if (number % honestEvery === 0) await checkHonest(server, random)
        uncaught.check()
      } catch (error) {
        throw failureOf({ number, seed, input, error })
      }
      figures[kind]++
      if (number % honestEvery === 0) figures.honest++
      if ((number + 1) % progressEvery === 0) progress?.(number + 1 - from)
    }
  } finally {
    uncaught.leave()
  }
  return figures
}

function kindOf(number: number): Kind {
  const place = number % 20
  if (place < 13) return 'reader'
  if (place < 17) return 'server'
  if (place < 19) return 'client'
  return number % 40 < 20 ? 'books' : 'moves'
}

const hasInput = (kind: Kind): boolean => kind !== 'books' && kind !== 'moves'

/** Readers read what either side says, whole connections what the other one does. */
function senderOf(kind: Kind, number: number): Side {
  return kind === 'client' || (kind === 'reader' && number % 2 === 1) ? 'server' : 'client'
}

/** What is thrown in the turn that follows counts, too. */
async function play(kind: Kind, random: Random): Promise<void> {
  if (kind === 'books') new BookKeeping(random).check()
  else new Moving(random).check()
  await new Promise(setImmediate)
}

/** What was thrown where nobody could catch it: from a turn of its own. */
class Uncaught {
  #error: unknown
  #any = false

  constructor() {
    process.on('uncaughtException', this.#note)
    process.on('unhandledRejection', this.#note)
  }

  check(): void {
    if (this.#any) throw this.#error
  }

  leave(): void {
    process.off('uncaughtException', this.#note)
    process.off('unhandledRejection', this.#note)
  }

  readonly #note = (error: unknown): void => {
    this.#error = error
    this.#any = true
  }
}

interface Failing {
  readonly number: number
  readonly seed: number
  /** None where both sides do what chance has them do. */
  readonly input: Input | undefined
  readonly error: unknown
}

const hexMax = 4000

function failureOf({ number, seed, input, error }: Failing): FuzzFailure {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const again = `npm run fuzz -- --seed ${seed} --from ${number} --inputs 1`
  if (input === undefined) return new FuzzFailure(`input ${number}: ${text}\n${again}`)
  const { sender, bytes, chunks } = input
  const hex = bytes.toString('hex').slice(0, hexMax)
  return new FuzzFailure(`input ${number}, from a ${sender}, in chunks of ${chunks.join()}: ${text}\n${hex}\n${again}`)
}
