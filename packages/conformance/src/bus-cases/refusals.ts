import type { Bus } from 'posthaste/bus'
import { keyedEvent, plainEvent, startedBus } from '../bus/bus.ts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { expectRejection } from '../expect.ts'

const plain = { group: 'g', retry: false } as const

/** A case for engines that do not declare something: what would need it must fail with CAPABILITY_UNSUPPORTED. */
function refusal(what: string, title: string, ask: (context: CaseContext) => Promise<unknown>): ConformanceCase {
  return {
    id: `refused/${what}`,
    title: `${title} is refused with CAPABILITY_UNSUPPORTED`,
    run: (context) => expectRejection(() => ask(context), 'CAPABILITY_UNSUPPORTED'),
  }
}

/** Starts a bus that is to be refused. */
const starting = (register: (bus: Bus, context: CaseContext) => void) => (context: CaseContext) =>
  startedBus(context, (bus) => register(bus, context))

const handler = () => {}

/** What an engine cannot do is refused before anything starts, never ignored. */
export const refusals: readonly ConformanceCase[] = [
  refusal(
    'key-order',
    'a keyed contract on an engine that keeps no order',
    starting((bus, context) => bus.on(keyedEvent(context), plain, handler)),
  ),
  refusal(
    'hold-key',
    'a keyed contract with later retries on an engine that holds no keys',
    starting((bus, context) => bus.on(keyedEvent(context), { group: 'g', retry: { delayed: 1 } }, handler)),
  ),
  refusal(
    'ladder',
    'a later retry on an engine that delays nothing',
    starting((bus, context) => bus.on(plainEvent(context), { group: 'g', retry: { delayed: 1 } }, handler)),
  ),
  refusal(
    'breaker',
    'a breaker on an engine that delays nothing',
    starting((bus, context) => bus.on(plainEvent(context), { ...plain, breaker: {} }, handler)),
  ),
  refusal('delay', 'a delayed message on an engine that delays nothing', async (context) => {
    const bus = await startedBus(context)
    await bus.publish(plainEvent(context), { n: 1 }, { delayMs: 1_000 })
  }),
  refusal('cancel', 'taking back a message on an engine that cannot', async (context) => {
    const bus = await startedBus(context)
    await bus.cancel(plainEvent(context), 'any')
  }),
  refusal(
    'attempts',
    'handling on an engine whose attempts do not survive a crash',
    starting((bus, context) => bus.on(plainEvent(context), plain, handler)),
  ),
  refusal(
    'history',
    'a group that begins with the past on an engine without history',
    starting((bus, context) => bus.on(plainEvent(context), { ...plain, from: 'earliest' }, handler)),
  ),
  refusal('browse', 'looking into dead letters on an engine that cannot look into channels', async (context) => {
    const Noted = plainEvent(context)
    const bus = await startedBus(context, (each) => each.on(Noted, plain, handler))
    await bus.deadLetters(Noted, { group: 'g' }).browse()
  }),
  refusal('redrive', 'a redrive on an engine that cannot move or address records', async (context) => {
    const Noted = plainEvent(context)
    const bus = await startedBus(context, (each) => each.on(Noted, plain, handler))
    await bus.deadLetters(Noted, { group: 'g' }).redrive({ all: true })
  }),
]
