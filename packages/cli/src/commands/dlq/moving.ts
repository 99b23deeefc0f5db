import { PosthasteError } from '@posthaste/contracts'
import type { RedriveReport, RedriveSelection } from 'posthaste/bus'
import type { Command } from '../../command/command.ts'
import { confirm, yesOption } from '../../command/confirm.ts'
import { flag, requiredText, someInteger, texts } from '../../command/options.ts'
import { engineCommand } from '../../engine/engine-command.ts'
import { interrupted } from '../../exit-codes.ts'
import { optional } from '../../output/records.ts'
import { counted } from '../../output/units.ts'
import { placeOptions, type Where, whereOf, whereOptions } from './options.ts'
import { placeOf, placeText, withDeadLetters } from './place.ts'

interface Wording {
  readonly name: 'redrive' | 'discard'
  readonly about: string
  readonly details: readonly string[]
  /** `12 dead letters of …` stand in front of it. */
  readonly done: string
  readonly question: (what: string) => string
  readonly examples: readonly string[]
}

/** `posthaste dlq redrive` */
export const dlqRedrive = moving({
  name: 'redrive',
  about: 'Gives dead letters back to the group that failed them',
  details: [
    'Each is the original message under its own id, its attempts beginning at 1, and goes to that group alone. It is moved, so a redrive that was interrupted is begun again without harm.',
  ],
  done: 'went back',
  question: (what) => `Give ${what} back to the group?`,
  examples: [
    'posthaste dlq redrive shop.order.created --group points --all',
    'posthaste dlq redrive shop.stock.deduct 0199c1f2-… --yes',
  ],
})

/** `posthaste dlq discard` */
export const dlqDiscard = moving({
  name: 'discard',
  about: 'Removes dead letters for good',
  details: ['To keep a copy: posthaste tail posthaste.dead.<group>.<channel> --no-follow --json > letters.ndjson.'],
  done: 'are gone',
  question: (what) => `Remove ${what} for good?`,
  examples: ['posthaste dlq discard shop.order.created --group points --code PAYLOAD_INVALID'],
})

/** Both are the same but for what takes the place of the letter. */
function moving({ name, about, details, done, question, examples }: Wording): Command {
  return engineCommand({
    name: `dlq ${name}`,
    about,
    details: [
      ...details,
      'Which ones is said by ids, by --position, by --all, or by what they are like: --code, --key, --correlation, --since, --until.',
    ],
    args: {
      channel: requiredText('The channel', { value: 'channel' }),
      ids: texts('Ids of messages', { value: 'id' }),
    },
    options: {
      ...placeOptions,
      all: flag('All that are there when it begins'),
      position: texts('The one in this position', { value: 'position' }),
      ...whereOptions,
      limit: someInteger('At most so many, the oldest first', { min: 1, max: Number.MAX_SAFE_INTEGER }),
      rate: someInteger('At most so many a second', { min: 1, max: 1_000_000 }),
      'dry-run': flag('Only tells how many it would be'),
      yes: yesOption,
    },
    examples,
    async run({ channel, ids }, options, around) {
      const { io, print, engine } = around
      const selection = selectionOf({ ...options, name, ids })
      const dryRun = options['dry-run']
      const place = await placeOf(engine, { channel, group: options.group, target: options.target })
      const report = await withDeadLetters(place, around, async (letters) => {
        const counting = await letters[name]({ ...selection, dryRun: true })
        if (dryRun || counting.moved === 0) return counting
        const what = `${counted(counting.moved, 'dead letter')} of ${placeText(place)}`
        await confirm(question(what), { yes: options.yes, io })
        return letters[name]({ ...selection, ratePerSecond: options.rate, signal: io.signal })
      })
      const { moved, failed, end, next } = report
      const failures = failed.map(({ id, position, error }) => {
        return optional({ id, position, code: error.code, message: error.message })
      })
      await print.answer({
        json: { ...optional({ ...place }), moved, dryRun, failed: failures, end, next: next ?? null },
        text: () =>
          `${counted(moved, 'dead letter')} of ${placeText(place)} ${dryRun ? 'would have been moved' : done}\n`,
      })
      for (const { error } of failed) await print.note(error.message)
      return codeOf(report)
    },
  })
}

interface Selecting extends Where {
  readonly name: string
  readonly ids: readonly string[]
  readonly position: readonly string[]
  readonly all: boolean
  readonly limit: number | undefined
}

function selectionOf(given: Selecting): RedriveSelection {
  const { name, ids, position, all, limit } = given
  const where = whereOf(given)
  const ways = [
    ...(ids.length > 0 ? [{ ids }] : []),
    ...(position.length > 0 ? [{ positions: position }] : []),
    ...(all ? [{ all }] : []),
    ...(where === undefined ? [] : [{ where }]),
  ]
  const [way] = ways
  if (way !== undefined && ways.length === 1) return { ...way, limit }
  const message = ways.length === 0 ? 'does not say which dead letters' : 'says in several ways which dead letters'
  throw new PosthasteError('INVALID_ARGUMENT', `dlq ${name} ${message}`, {
    remedy:
      'Give ids, --position, --all, or what they are like (--code, --key, --correlation, --since, --until): one of these.',
  })
}

function codeOf({ moved, failed, end }: RedriveReport): number {
  if (end === 'aborted') return interrupted
  if (failed.length === 0) return 0
  return moved === 0 && failed.every(({ error }) => error.code === 'NOT_FOUND') ? 3 : 1
}
