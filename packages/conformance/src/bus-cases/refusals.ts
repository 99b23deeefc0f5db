import { command, events } from '@posthaste/contracts'
import type { Bus } from 'posthaste/bus'
import { anything, keyedEvent, type Note, plainEvent, startedBus } from '../bus/bus.ts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { expectRejection } from '../expect.ts'
import type { Need } from '../needs.ts'

const plain = { group: 'g', retry: false } as const

/** What is refused where one of these is not there. */
interface Refused {
  readonly what: string
  readonly lacks: readonly Need[]
}

/** A case for engines that do not declare something: what would need it must fail with CAPABILITY_UNSUPPORTED. */
function refusal(
  { what, lacks }: Refused,
  title: string,
  ask: (context: CaseContext) => Promise<unknown>,
): ConformanceCase {
  return {
    id: `refused/${what}`,
    title: `${title} is refused with CAPABILITY_UNSUPPORTED`,
    lacks,
    run: (context) =>
      context.through(
        expectRejection(() => ask(context), 'CAPABILITY_UNSUPPORTED'),
        'the refusal',
      ),
  }
}

/** Starts a bus that is to be refused. */
const starting = (register: (bus: Bus, context: CaseContext) => void) => (context: CaseContext) =>
  startedBus(context, (bus) => register(bus, context))

const handler = () => {}

/** What an engine cannot do is refused before anything starts, never ignored. */
export const refusals: readonly ConformanceCase[] = [
  refusal(
    { what: 'key-order', lacks: ['keyOrder'] },
    'a keyed contract on an engine that keeps no order',
    starting((bus, context) => bus.on(keyedEvent(context), plain, handler)),
  ),
  refusal(
    { what: 'hold-key', lacks: ['keyOrder', 'holdKey', 'delay'] },
    'a keyed contract with later retries on an engine that holds no keys',
    starting((bus, context) => bus.on(keyedEvent(context), { group: 'g', retry: { delayed: 1 } }, handler)),
  ),
  refusal(
    { what: 'ladder', lacks: ['delay'] },
    'a later retry on an engine that delays nothing',
    starting((bus, context) => bus.on(plainEvent(context), { group: 'g', retry: { delayed: 1 } }, handler)),
  ),
  refusal(
    { what: 'breaker', lacks: ['delay'] },
    'a breaker on an engine that delays nothing',
    starting((bus, context) => bus.on(plainEvent(context), { ...plain, breaker: {} }, handler)),
  ),
  refusal(
    { what: 'delay', lacks: ['delay'] },
    'a delayed message on an engine that delays nothing',
    async (context) => {
      const bus = await startedBus(context)
      await bus.publish(plainEvent(context), { n: 1 }, { delayMs: 1_000 })
    },
  ),
  refusal(
    { what: 'cancel', lacks: ['scheduling'] },
    'taking back a message on an engine that cannot',
    async (context) => {
      const bus = await startedBus(context)
      await bus.cancel(plainEvent(context), 'any')
    },
  ),
  refusal(
    { what: 'attempts', lacks: ['attempts'] },
    'handling on an engine whose attempts do not survive a crash',
    starting((bus, context) => bus.on(plainEvent(context), plain, handler)),
  ),
  refusal(
    { what: 'history', lacks: ['history'] },
    'a group that begins with the past on an engine without history',
    starting((bus, context) => bus.on(plainEvent(context), { ...plain, from: 'earliest' }, handler)),
  ),
  refusal(
    { what: 'browse', lacks: ['browsing'] },
    'looking into dead letters on an engine that cannot look into channels',
    async (context) => {
      const Noted = plainEvent(context)
      const bus = await startedBus(context, (each) => each.on(Noted, plain, handler))
      await bus.deadLetters(Noted, { group: 'g' }).browse()
    },
  ),
  refusal(
    { what: 'redrive', lacks: ['browsing', 'groupAddress'] },
    'a redrive on an engine that cannot move or address records',
    async (context) => {
      const Noted = plainEvent(context)
      const bus = await startedBus(context, (each) => each.on(Noted, plain, handler))
      await bus.deadLetters(Noted, { group: 'g' }).redrive({ all: true })
    },
  ),
  refusal({ what: 'lag', lacks: ['lag'] }, 'the lag of a group on an engine that cannot tell', async (context) => {
    const Noted = plainEvent(context)
    const bus = await startedBus(context, (each) => each.on(Noted, plain, handler))
    await bus.group(Noted, { group: 'g' }).lag()
  }),
  refusal({ what: 'seek', lacks: ['seeking'] }, 'a replay on an engine that cannot move groups', async (context) => {
    const Noted = plainEvent(context)
    const bus = await startedBus(context, (each) => each.on(Noted, plain, handler))
    await bus.group(Noted, { group: 'g' }).seek({ to: 'earliest' })
  }),
  refusal(
    { what: 'patterns', lacks: ['patterns'] },
    'a pattern on an engine that follows none',
    starting((bus, context) =>
      bus.on(events(`${context.unique('shop')}.*`, { data: anything<Note>() }), plain, handler),
    ),
  ),
  refusal(
    { what: 'temporary', lacks: ['temporaryGroups'] },
    'a temporary group on an engine that has none',
    starting((bus, context) => bus.on(plainEvent(context), { ...plain, lifetime: 'temporary' }, handler)),
  ),
  refusal(
    { what: 'broadcast', lacks: ['temporaryGroups'] },
    'a broadcast on an engine without temporary groups',
    starting((bus, context) => bus.on(plainEvent(context), { ...plain, broadcast: true }, handler)),
  ),
  refusal(
    { what: 'deduplication', lacks: ['deduplication'] },
    'a contract with a window on an engine that recognises no repetition',
    starting((bus, context) => bus.on(plainEvent(context, { deduplicateForMs: 1_000 }), plain, handler)),
  ),
  refusal(
    { what: 'priorities', lacks: ['priorities'] },
    'a contract with priorities on an engine that has none',
    starting((bus, context) => bus.on(plainEvent(context, { priorities: 3 }), plain, handler)),
  ),
  refusal(
    { what: 'prepare', lacks: ['preparing'] },
    'a prepared message on an engine that keeps none',
    async (context) => {
      const bus = await startedBus(context)
      await bus.prepare(plainEvent(context), { n: 1 })
    },
  ),
  refusal(
    { what: 'request', lacks: ['temporaryGroups', 'groupAddress'] },
    'a request on an engine without temporary groups or addresses',
    async (context) => {
      const bus = await startedBus(context)
      const Asked = command(context.unique('question'), { data: anything<Note>(), reply: anything<Note>() })
      await bus.request(Asked, { n: 1 }, { timeoutMs: 100 })
    },
  ),
  refusal(
    { what: 'recurring', lacks: ['delay', 'scheduling', 'keyOrder', 'holdKey'] },
    'a recurring message on an engine that delays nothing',
    async (context) => {
      await startedBus(context, (bus) =>
        bus.recur(plainEvent(context), { name: 'tick', cron: '@hourly', data: { n: 1 } }),
      )
    },
  ),
]
