import type { Engine } from '@posthaste/contracts'
import type { Need } from '../needs.ts'

/** An engine with one fault, to show that the suite finds it. */
export interface Mutant {
  readonly name: string
  /** What it does wrong, as a clause. */
  readonly fault: string
  /** A case of the suite that must fail for it, by id. */
  readonly foundBy: string
  /** What the engine must have for the fault to show. */
  readonly needs?: readonly Need[] | undefined
  /** Wraps an engine that is right. */
  mutate(engine: Engine): Engine
}

/** Says yes each `n`th time, so that what a mutant does is the same in every run. */
export function everyNth(n: number): () => boolean {
  let count = 0
  return () => {
    count += 1
    return count % n === 0
  }
}
