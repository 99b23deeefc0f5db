import { ClientTarget } from './client-target.ts'
import { checkHonest } from './honest-client.ts'
import { type Input, inputOf } from './inputs.ts'
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

/**
 * Gives inputs to readers, servers and clients: seven in ten to a reader, two to a server's connection, one to a client's.
 * @throws FuzzFailure naming the first input that crashes something, or after which something is wrong
 */
export async function fuzz({ inputs, from, seed, progress }: FuzzRun): Promise<FuzzFigures> {
  const server = new ServerTarget()
  const client = new ClientTarget()
  const figures = { reader: 0, server: 0, client: 0, frames: 0, bytes: 0, honest: 0 }
  const uncaught = new Uncaught()
  try {
    for (let number = from; number < from + inputs; number++) {
      const random = new Random(seed, number)
      const kind = number % 10
      const input = inputOf(random, kind === 9 || (kind < 7 && kind % 2 === 1) ? 'server' : 'client')
      figures.bytes += input.bytes.length
      try {
        if (kind < 7) figures.frames += checkReading(input)
        else if (kind < 9) await server.check(input, random)
        else await client.check(input, random)
        if (number % honestEvery === 8) await checkHonest(server, random)
        uncaught.check()
      } catch (error) {
        throw failureOf({ number, seed, input, error })
      }
      figures[kind < 7 ? 'reader' : kind < 9 ? 'server' : 'client']++
      if (number % honestEvery === 8) figures.honest++
      if ((number + 1) % progressEvery === 0) progress?.(number + 1 - from)
    }
  } finally {
    uncaught.leave()
  }
  return figures
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
  readonly input: Input
  readonly error: unknown
}

const hexMax = 4000

function failureOf({ number, seed, input, error }: Failing): FuzzFailure {
  const { sender, bytes, chunks } = input
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const hex = bytes.toString('hex').slice(0, hexMax)
  const again = `npm run fuzz -- --seed ${seed} --from ${number} --inputs 1`
  return new FuzzFailure(`input ${number}, from a ${sender}, in chunks of ${chunks.join()}: ${text}\n${hex}\n${again}`)
}
