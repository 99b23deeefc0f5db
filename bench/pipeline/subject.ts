/** The action itself, with nothing around it. */
export const bareName = 'bare call'

/** The stack that goals are set for. */
export const stackName = 'default stack'

/** Everything that may stand around a call at once. */
export const wholeName = 'whole stack'

/** What the call is for: gives 1, or fails with the subject's failure. */
export type Action = () => number | Promise<number>

/** Something that stands around calls. */
export interface Subject {
  readonly name: string
  /** What the action fails with where failures are measured; made once, as making one costs more than all the rest. */
  readonly failure: Error
  /** Puts it around the action. */
  make(action: Action): () => unknown
}

/** How the action ends. */
export const paths = ['asynchronous success', 'synchronous success', 'asynchronous failure'] as const

/** Names a way for the action to end. */
export type Path = (typeof paths)[number]

/** An action that ends so. */
export function actionOf(path: Path, { failure }: Subject): Action {
  if (path === 'synchronous success') return () => 1
  if (path === 'asynchronous success') return async () => 1
  return async () => {
    throw failure
  }
}

/** What there is to be measured, ours and others'. */
export const libraries = ['ours', 'cockatiel', 'opossum'] as const

/** Whose it is. */
export type Library = (typeof libraries)[number]
