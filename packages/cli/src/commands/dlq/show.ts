import { PosthasteError } from '@posthaste/contracts'
import type { DeadLetter, DeadLetters } from 'posthaste/bus'
import { requiredText } from '../../command/options.ts'
import { engineCommand } from '../../engine/engine-command.ts'
import { letterJson, letterText } from './letters.ts'
import { placeOptions } from './options.ts'
import { placeOf, placeText, withDeadLetters } from './place.ts'

/** `posthaste dlq show` */
export const dlqShow = engineCommand({
  name: 'dlq show',
  about: 'Shows all of a dead letter',
  details: ['Where a message has died more than once, all of its dead letters are shown, the oldest first.'],
  args: {
    channel: requiredText('The channel', { value: 'channel' }),
    id: requiredText('The id or the position of the message', { value: 'id' }),
  },
  options: placeOptions,
  examples: ['posthaste dlq show shop.order.created 0199c1f2-… --group points'],
  async run({ channel, id }, { group, target }, around) {
    const { engine, print } = around
    const place = await placeOf(engine, { channel, group, target })
    const letters = await withDeadLetters(place, around, (dead) => lettersOf(dead, id))
    if (letters.length === 0) {
      throw new PosthasteError('NOT_FOUND', `there is no dead letter ${id} of ${placeText(place)}`, {
        remedy: `See which there are: posthaste dlq list ${channel} --group ${place.group}.`,
      })
    }
    await print.answer({
      json: letters.map(letterJson),
      text: () => letters.map((letter) => letterText(letter, print)).join('\n'),
    })
  },
})

/** Looks through all of them: neither ids nor positions can be asked for by themselves. */
async function lettersOf(dead: DeadLetters, id: string): Promise<readonly DeadLetter[]> {
  const found: DeadLetter[] = []
  let after: string | undefined
  do {
    const page = await dead.browse({ limit: 1_000, after })
    found.push(...page.letters.filter((letter) => letter.id === id || letter.position === id))
    after = page.next
  } while (after !== undefined)
  return found
}
