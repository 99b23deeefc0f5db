import { PosthasteError, type SeekTarget } from '@posthaste/contracts'
import { confirm, yesOption } from '../command/confirm.ts'
import { choice, requiredText, text, time } from '../command/options.ts'
import { abilityOf } from '../engine/abilities.ts'
import { engineCommand } from '../engine/engine-command.ts'
import { timeText } from '../output/records.ts'
import { now } from './now.ts'

/** `posthaste seek` */
export const seek = engineCommand({
  name: 'seek',
  about: 'Moves a group to another place of its log',
  details: [
    'What stands behind that place comes again, whatever was done with it; what was not done before it never comes. The group must have no members meanwhile: stop its application first, or pause it.',
  ],
  args: {
    channel: requiredText('The channel, which is a log', { value: 'channel' }),
    group: requiredText('The group', { value: 'group' }),
  },
  options: {
    to: choice('The oldest message that is kept, or what comes next', ['earliest', 'latest']),
    at: time('The first message stored at this time or later: 2026-01-31T09:30:00Z, or -2h', now),
    position: text('A position that tail or dlq has shown', { value: 'position' }),
    yes: yesOption,
  },
  examples: [
    'posthaste seek shop.order.created points --to earliest',
    'posthaste seek shop.order.created points --at -2h --yes',
  ],
  async run({ channel, group }, { to, at, position, yes }, { engine, io, print }) {
    const target = targetOf({ to, at, position })
    const seeking = abilityOf(engine, 'seeking')
    const place = placeText(target)
    await confirm(`Move ${group} of ${channel} to ${place}?`, { yes, io })
    await seeking.seek(channel, group, target)
    await print.answer({ json: { channel, group, target }, text: () => `${group} of ${channel} begins at ${place}\n` })
  },
})

interface Ways {
  readonly to: 'earliest' | 'latest' | undefined
  readonly at: number | undefined
  readonly position: string | undefined
}

function targetOf({ to, at, position }: Ways): SeekTarget {
  const targets: SeekTarget[] = []
  if (to !== undefined) targets.push({ to: to === 'latest' ? 'next' : to })
  if (at !== undefined) targets.push({ atMs: at })
  if (position !== undefined) targets.push({ position })
  const [target] = targets
  if (target !== undefined && targets.length === 1) return target
  throw new PosthasteError('INVALID_ARGUMENT', 'seek: needs exactly one of --to, --at and --position', {
    remedy: 'Say where the group is to begin, as in --to earliest.',
  })
}

function placeText(target: SeekTarget): string {
  if ('to' in target) return target.to === 'next' ? 'what comes next' : 'the oldest message that is kept'
  return 'atMs' in target ? `what was stored at ${timeText(target.atMs)} or later` : `position ${target.position}`
}
