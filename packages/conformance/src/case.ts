import type { CaseContext } from './context.ts'
import type { Need } from './needs.ts'

/** One thing an engine must do, as a program that throws where it does not. */
export interface ConformanceCase {
  /** `area/what`, stable over versions: reports and matrices are keyed by it. */
  readonly id: string
  /** A sentence of behaviour. */
  readonly title: string
  /** The case is skipped, with the reason reported, unless all of these are met. */
  readonly needs?: readonly Need[] | undefined
  /** The case is about a refusal: it is skipped, with the reason reported, where all of these are met. */
  readonly lacks?: readonly Need[] | undefined
  /** The case is about how time really goes by. */
  readonly onMachineTime?: boolean | undefined
  run(context: CaseContext): Promise<void>
}
