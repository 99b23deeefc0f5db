import type { Progress } from '../replay/progress.ts'
import type { ProcessName } from './plan.ts'

/** What processes are killed with. */
export interface KillerOptions {
  readonly names: readonly ProcessName[]
  readonly kill: (name: ProcessName) => boolean
  /** How often each is killed. */
  readonly rounds: number
  /** Numbers from 0 up to but not 1: in which order. */
  readonly random: () => number
}

/**
 * Kills processes with -9 as a replay goes on: one after each equal part of it, so that every one of them dies while
 * there is work, however fast that goes.
 */
export class Killer {
  readonly killed: ProcessName[] = []
  readonly #victims: ProcessName[]
  readonly #options: KillerOptions

  constructor(options: KillerOptions) {
    this.#options = options
    const { names, rounds, random } = options
    this.#victims = Array.from({ length: rounds }, () => shuffled(names, random)).flat()
  }

  /** How many still have to die. */
  get left(): number {
    return this.#victims.length - this.killed.length
  }

  /** Looks on at a replay. */
  watching(progress: Progress): Progress {
    return {
      show: (share, text) => {
        progress.show(share, text)
        if (share * (this.#victims.length + 1) >= this.killed.length + 1) this.next()
      },
      print: (line) => progress.print(line),
      end: () => progress.end(),
    }
  }

  /** Kills the next one that is running. @returns which */
  next(): ProcessName | undefined {
    const victim = this.#victims[this.killed.length]
    if (victim === undefined || !this.#options.kill(victim)) return undefined
    this.killed.push(victim)
    return victim
  }
}

/** @see https://en.wikipedia.org/wiki/Fisher–Yates_shuffle */
function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const mixed = [...all]
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1))
    const held = mixed[at]!
    mixed[at] = mixed[other]!
    mixed[other] = held
  }
  return mixed
}

/** Numbers from 0 up to but not 1, the same for a seed. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
