import { type Engine, PosthasteError } from '@posthaste/contracts'
import { integer, text } from '../../command/options.ts'
import { abilityOf } from '../../engine/abilities.ts'
import { type EngineSurroundings, engineCommand } from '../../engine/engine-command.ts'
import { optional } from '../../output/records.ts'
import { figure } from '../../output/units.ts'
import { letterJson, letterTable } from './letters.ts'
import { placeOptions, type Where, whereOf, whereOptions } from './options.ts'
import { channelNameOf, type Place, placeOf, placesOf, placeText, withDeadLetters } from './place.ts'

/** `posthaste dlq list` */
export const dlqList = engineCommand({
  name: 'dlq list',
  about: 'Lists dead letters: how many there are, or those of a channel',
  details: [
    'Dead letters are messages that a group could not handle. Without a channel, all places that have some are counted.',
  ],
  args: { channel: text('The channel; all places if absent', { value: 'channel' }) },
  options: {
    ...placeOptions,
    ...whereOptions,
    limit: integer('At most so many', { min: 1, max: 10_000, fallback: 100 }),
    after: text('Goes on behind this position: the next of a list', { value: 'position' }),
  },
  examples: ['posthaste dlq list', 'posthaste dlq list shop.order.created --group points --code PAYLOAD_INVALID'],
  async run({ channel }, options, around) {
    if (channel === undefined) {
      const given = Object.entries(options).filter(([name, value]) => !shared.has(name) && value !== undefined)
      if (given.length > 0) throw needsChannel(given.map(([name]) => `--${name}`))
      await listPlaces(around)
      return undefined
    }
    const place = await placeOf(around.engine, { channel, group: options.group, target: options.target })
    await listLetters(place, options, around)
    return undefined
  },
})

/** Options that mean something without a channel, or have a default. */
const shared = new Set(['engine', 'prefix', 'token', 'tls-ca', 'tls-cert', 'tls-key', 'json', 'debug', 'limit'])

function needsChannel(names: readonly string[]): PosthasteError {
  return new PosthasteError('INVALID_ARGUMENT', `dlq list: ${names.join(', ')} need a channel`, {
    remedy: 'Name the channel: posthaste dlq list <channel>.',
  })
}

async function listPlaces({ engine, print }: EngineSurroundings): Promise<void> {
  const places = await placesOf(engine)
  const counted: (Place & { readonly count: number })[] = []
  // One after the other: a page of each at once may be more than a broker sends to one client.
  for (const place of places) counted.push({ ...place, count: await countIn(engine, place) })
  const some = counted.filter(({ count }) => count > 0)
  const columns = [{ title: 'channel' }, { title: 'group' }, { title: 'target' }, { title: 'letters', isFigure: true }]
  const rows = some.map(({ channel, group, target = '', count }) => {
    return [channel, group, target, count < countMax ? figure(count) : `${figure(countMax)}+`]
  })
  await print.answer({
    json: some.map((place) => optional({ ...place })),
    text: () => (rows.length === 0 ? 'there are no dead letters\n' : print.table(columns, rows)),
  })
}

/** More are not counted: that would be to read them all. */
const countMax = 10_000

async function countIn(engine: Engine, place: Place): Promise<number> {
  const browsing = abilityOf(engine, 'browsing')
  const channel = channelNameOf(place)
  let count = 0
  let after: string | undefined
  do {
    const page = await browsing.browse({ channel, limit: 1_000, after })
    count += page.records.length
    after = page.next
  } while (after !== undefined && count < countMax)
  return Math.min(count, countMax)
}

interface ListOptions extends Where {
  readonly limit: number
  readonly after: string | undefined
}

async function listLetters(place: Place, options: ListOptions, around: EngineSurroundings): Promise<void> {
  const { print } = around
  const { limit, after } = options
  const query = { limit, after, where: whereOf(options) }
  const { letters, next } = await withDeadLetters(place, around, (dead) => dead.browse(query))
  await print.answer({
    json: { ...optional({ ...place }), letters: letters.map(letterJson), next: next ?? null },
    text: () =>
      letters.length === 0 ? `there are no dead letters of ${placeText(place)}\n` : letterTable(letters, print),
  })
  if (next !== undefined && !print.isJson) await print.note(`there are more: --after ${next}`)
}
