import { PosthasteError } from '@posthaste/contracts'
import type { Io } from '../io.ts'
import { cancelled } from '../waiting.ts'
import { flag } from './options.ts'

/** Lets a script do what a person is asked about. */
export const yesOption = flag('Does not ask')

/**
 * Asks before something is done that cannot be taken back.
 * @throws CANCELLED when the answer is not yes; INVALID_ARGUMENT where nobody can be asked
 */
export async function confirm(question: string, { yes, io }: { yes: boolean; io: Io }): Promise<void> {
  if (yes) return
  if (io.ask === undefined) {
    throw new PosthasteError('INVALID_ARGUMENT', `${question} There is no terminal to ask on`, {
      remedy: 'Give --yes if that is what you want.',
    })
  }
  const answer = await io.ask(`${question} [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw cancelled('the answer was no')
}
