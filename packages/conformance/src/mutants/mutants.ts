import { abilityMutants } from './abilities.ts'
import { deliveringMutants } from './delivering.ts'
import type { Mutant } from './mutant.ts'
import { plainMutants } from './plain.ts'
import { settlingMutants } from './settling.ts'
import { storingMutants } from './storing.ts'

/** Faults of the kinds that engines have had. */
export const mutants: readonly Mutant[] = [
  ...plainMutants,
  ...storingMutants,
  ...deliveringMutants,
  ...settlingMutants,
  ...abilityMutants,
]
