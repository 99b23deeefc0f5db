import type { Engine } from '@posthaste/contracts'
import { integer, text } from '../../command/options.ts'
import { type EngineSurroundings, engineCommand } from '../../engine/engine-command.ts'
import { figure } from '../../output/units.ts'
import { consumeAll } from './consuming.ts'
import { type Figures, figuresOf } from './figures.ts'
import { benchGroup, type Load } from './load.ts'
import { publishAll } from './publishing.ts'

/** `posthaste bench` */
export const bench = engineCommand({
  name: 'bench',
  about: 'Measures how fast the engine takes messages and gives them',
  details: [
    'Publishes messages and waits for each confirmation, then takes and acknowledges all of them: two figures, with the times that a confirmation and an acknowledgement took. It is the engine alone that is measured: no schema, no handler, no retries. The messages go through a queue of its own, which is empty afterwards and stays for the next time.',
  ],
  args: {},
  options: {
    messages: integer('How many messages', { min: 1, max: 100_000_000, fallback: 100_000 }),
    bytes: integer('Bytes of each body', { min: 0, max: 64 * 1024 * 1024, fallback: 100 }),
    batch: integer('Messages that are published at once', { min: 1, max: 10_000, fallback: 100 }),
    'in-flight': integer('Batches that wait for their confirmation', { min: 1, max: 1_000, fallback: 8 }),
    credit: integer('Most messages that are taken and not acknowledged', { min: 1, max: 100_000, fallback: 1_000 }),
    channel: text('The queue that they go through. Default posthaste-bench', { value: 'channel' }),
  },
  examples: ['posthaste bench --engine embedded:./scratch', 'posthaste bench --bytes 1024 --messages 20000 --json'],
  mayCreate: () => true,
  async run(_, options, around) {
    const { print, engine } = around
    const { messages, bytes, batch, credit, channel = 'posthaste-bench' } = options
    const load: Load = {
      ...{ channel, messages, bytes, batch },
      inFlight: options['in-flight'],
      credit: Math.min(credit, engine.capabilities.unsettledMax),
      runId: around.instance,
    }
    await declare(engine, channel)
    const results = await measure(load, around)
    if (results === undefined) return undefined
    const columns = ['messages/s', 'MB/s', 'p50 ms', 'p99 ms', 'seconds'].map((title) => ({ title, isFigure: true }))
    const rows = Object.entries(results).map(([name, figures]) => [name, ...cells(figures)])
    await print.answer({
      json: { engine: engine.name, ...load, ...results },
      text: () => print.table([{ title: `${figure(messages)} × ${figure(bytes)} B` }, ...columns], rows),
    })
    return undefined
  },
})

async function declare(engine: Engine, channel: string): Promise<void> {
  await engine.declare({
    channels: [{ name: channel, kind: 'queue', keyed: false }],
    groups: [{ channel, group: benchGroup, from: 'earliest' }],
  })
}

/** @returns nothing where the user has enough before */
async function measure(load: Load, around: EngineSurroundings): Promise<Readonly<Record<string, Figures>> | undefined> {
  const { io, print } = around
  await print.note(`publishing ${figure(load.messages)} messages to ${load.channel} …`)
  const published = await publishAll(load, around)
  await print.note('consuming them …')
  // Those that stand are taken away also where the user has enough: the next run is not to find them.
  const consumed = await consumeAll(load, published.count, around)
  if (io.signal.aborted) return undefined
  return { publish: figuresOf(published, load.bytes), consume: figuresOf(consumed, load.bytes) }
}

function cells({ perSecond, megabytesPerSecond, p50Ms, p99Ms, seconds }: Figures): string[] {
  return [figure(perSecond), megabytesPerSecond.toFixed(1), p50Ms.toFixed(2), p99Ms.toFixed(2), seconds.toFixed(2)]
}
