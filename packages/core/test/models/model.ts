import fc from 'fast-check'

/** How long a model is run, and from which seed; the same seed makes the same programs. */
export interface ModelRun {
  /** Steps to be made at least, in programs of a hundred or so. */
  readonly steps: number
  /** From 0 to 2^31-1. */
  readonly seed: number
}

/**
 * Something of ours that is held against a reference: random programs are run on both, and after each step both must say
 * the same. A file `<name>.model.ts` in this folder exports one as `model`; the test here runs it with few steps, and the
 * nightly run with a million.
 */
export interface Model {
  /** What is held against its reference, and where the two kinds of it differ, which: `breaker, count window`. */
  readonly name: string
  /**
   * Runs programs until so many steps are made. Tells how many there were.
   * @throws Error with the shortest program on which the two differ
   */
  run(run: ModelRun): Promise<number>
}

/** One step of a program: does the same to both, and asserts that both say the same. */
export interface Step<M, R> {
  /** As it reads in a failing program: `advance 20 ms`. */
  readonly label: string
  /** Whether it makes sense now; skipped otherwise. Default: always. */
  readonly possible?: (model: Readonly<M>) => boolean
  /** @throws AssertionError where the two differ; use `node:assert/strict`, as the nightly run knows no `expect` */
  run(model: M, real: R): void | Promise<void>
}

/** A model, as it is written. */
export interface ModelSpec<S, M extends object, R> {
  readonly name: string
  /** What each program is begun with. */
  readonly settings: fc.Arbitrary<S>
  /** What a program is made of; name one twice to have it twice as often. */
  readonly steps: readonly fc.Arbitrary<Step<M, R>>[]
  /** The reference, small and obvious, and the real thing, on a clock that only the program moves. */
  start(settings: S): { readonly model: M; readonly real: R }
  /** Asserts what must hold of a whole program, after its last step. */
  end?(model: M, real: R): void | Promise<void>
}

const stepsMax = 200
const programsAtOnce = 20

/** Makes a model that runs with fast-check's commands, and so shrinks what fails to the shortest program that does. */
export function modelOf<S, M extends object, R>(spec: ModelSpec<S, M, R>): Model {
  const { name, settings, steps, start, end } = spec
  return {
    name,
    async run(run) {
      let made = 0
      const commands = steps.map((step) => step.map((one) => commandOf(one, () => made++)))
      const programs = fc.commands(commands, { maxCommands: stepsMax, size: 'max' })
      const property = fc.asyncProperty(settings, programs, async (begin, program) => {
        const { model, real } = start(begin)
        await fc.asyncModelRun(() => ({ model, real }), program)
        await end?.(model, real)
      })
      for (let seed = run.seed; made < run.steps; seed++) {
        await fc.assert(property, { seed, numRuns: programsAtOnce, endOnFailure: false })
      }
      return made
    },
  }
}

function commandOf<M extends object, R>(step: Step<M, R>, made: () => void): fc.AsyncCommand<M, R> {
  return {
    check: (model) => step.possible?.(model) ?? true,
    async run(model, real) {
      made()
      await step.run(model, real)
    },
    toString: () => step.label,
  }
}
