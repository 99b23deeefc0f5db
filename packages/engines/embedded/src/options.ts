import { PosthasteError } from '@posthaste/contracts'

/** Options of the embedded engine. */
export interface EmbeddedOptions {
  /** The data directory; made if it does not exist. One process owns it at a time. */
  readonly dir: string
}

/** @throws CONFIG_INVALID listing every mistake */
export function checkOptions(options: EmbeddedOptions): EmbeddedOptions {
  const mistakes: { path: string; message: string }[] = []
  const { dir, ...unknown } = options
  if (typeof dir !== 'string' || dir.length === 0)
    mistakes.push({ path: 'dir', message: 'must be the path of a directory' })
  for (const name of Object.keys(unknown))
    mistakes.push({ path: name, message: 'is not an option of the embedded engine' })
  if (mistakes.length === 0) return options
  const text = mistakes.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `embedded(): ${text}`, { issues: mistakes })
}
