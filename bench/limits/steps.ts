import { statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Engine } from '@posthaste/contracts'
import { type Memory, Watch } from './memory.ts'
import { Consumer, openEngine, publishAll, type RecordShape, recordsOf, SkewedClock } from './rig.ts'

/** What a step measured. */
export type Figures = Readonly<Record<string, number>>

async function measured(count: number, work: () => Promise<void>): Promise<Figures> {
  const watch = new Watch()
  const cpu = process.threadCpuUsage()
  const beganAtMs = performance.now()
  await work()
  const ms = performance.now() - beganAtMs
  const { user, system } = process.threadCpuUsage(cpu)
  const { peak, stallMs } = watch.end()
  return { perSecond: (count / ms) * 1_000, cpuUs: (user + system) / count, stallMs, ...(peak as Memory & Figures) }
}

const fileMb = (dir: string): number => statSync(join(dir, 'data.mdb')).size / 1e6

/** What all steps know. */
export interface StepContext {
  readonly dir: string
  readonly count: number
  readonly bytes: number
}

function shape(
  { bytes }: StepContext,
  more: Partial<RecordShape> = {},
): (index: number) => ReturnType<ReturnType<typeof recordsOf>> {
  return recordsOf({ bytes, ...more })
}

async function declare(
  engine: Engine,
  channels: readonly string[],
  { keyed = false, groups = ['g'] }: { keyed?: boolean; groups?: readonly string[] } = {},
): Promise<void> {
  await engine.declare({
    channels: channels.map((name) => ({ name, kind: 'log' as const, keyed })),
    groups: channels.flatMap((channel) => groups.map((group) => ({ channel, group, from: 'earliest' as const }))),
  })
}

const manyNames = (count: number): string[] => Array.from({ length: count }, (_, index) => `many.${index}`)

/** Opens, does the work, closes; the time of opening is a figure, too. */
async function within(
  context: StepContext,
  work: (engine: Engine, clock: SkewedClock) => Promise<Figures>,
  aheadMs = 0,
): Promise<Figures> {
  const clock = new SkewedClock()
  clock.aheadMs = aheadMs
  const { engine, openMs } = await openEngine(context.dir, clock)
  try {
    const figures = await work(engine, clock)
    return { openMs, ...figures, dataFileMb: fileMb(context.dir) }
  } finally {
    await engine.close()
  }
}

/** Publishes at full speed with a consumer beside; through another channel than the one that stands full. */
export const flow = (context: StepContext): Promise<Figures> =>
  within(context, async (engine) => {
    await declare(engine, ['flow'])
    const record = shape(context, { channelOf: () => 'flow' })
    const consumer = await Consumer.join(engine, { channel: 'flow' })
    await publishAll(engine, record, { to: 20_000 })
    await consumer.has(20_000)
    return measured(context.count, async () => {
      await publishAll(engine, record, { from: 20_000, to: 20_000 + context.count })
      await consumer.has(20_000 + context.count)
    })
  })

/** Fills a channel that nobody reads. */
export const fill = (context: StepContext): Promise<Figures> =>
  within(context, async (engine) => {
    await declare(engine, ['c'])
    return measured(context.count, () => publishAll(engine, shape(context), { to: context.count }))
  })

/** Reads what stands in a channel. */
export const drain = (context: StepContext): Promise<Figures> =>
  within(context, async (engine) =>
    measured(context.count, async () => {
      const consumer = await Consumer.join(engine)
      await consumer.has(context.count)
    }),
  )

/** Declares channels with a group each, and publishes to all of them. */
export const channels = (context: StepContext): Promise<Figures> =>
  within(context, async (engine) => {
    const names = manyNames(context.count)
    const record = shape(context, { channelOf: (index) => names[index % names.length]! })
    return measured(context.count, async () => {
      await declare(engine, names)
      await publishAll(engine, record, { to: 3 * names.length })
    })
  })

/** Publishes and consumes over all channels, each of which has a member. */
export const overChannels = (context: StepContext & { readonly channels: number }): Promise<Figures> =>
  within(context, async (engine) => {
    const names = manyNames(context.channels)
    await declare(engine, names)
    const record = shape(context, { channelOf: (index) => names[index % names.length]! })
    const consumers = await Promise.all(names.map((channel) => Consumer.join(engine, { channel, prefetch: 64 })))
    return measured(context.count, async () => {
      await publishAll(engine, record, { to: context.count })
      for (const [index, consumer] of consumers.entries())
        await consumer.has(Math.floor((context.count - index - 1) / names.length) + 1)
    })
  })

const hourMs = 3_600_000

/** Schedules records within the hour after next. */
export const timers = (context: StepContext): Promise<Figures> =>
  within(context, async (engine, clock) => {
    await declare(engine, ['c'])
    const atMs = clock.nowMs() + 2 * hourMs
    const record = shape(context, { dueAtMsOf: (index) => atMs + ((index * 7_919) % hourMs) })
    return measured(context.count, () => publishAll(engine, record, { to: context.count }))
  })

/** All of them have become due when the directory is opened, and others publish meanwhile. */
export const timersDue = (context: StepContext): Promise<Figures> =>
  within(
    context,
    async (engine) => {
      await declare(engine, ['flow'])
      const other = shape(context, { channelOf: () => 'flow' })
      const consumer = await Consumer.join(engine)
      let moving = true
      let latencyMsMax = 0
      const beside = async (): Promise<void> => {
        for (let index = 0; moving; index++) {
          const publishedAtMs = performance.now()
          await publishAll(engine, other, { from: index, to: index + 1 })
          latencyMsMax = Math.max(latencyMsMax, performance.now() - publishedAtMs)
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      }
      const figures = await measured(context.count, async () => {
        const publishing = beside()
        await consumer.has(context.count)
        moving = false
        await publishing
      })
      return { ...figures, latencyMsMax }
    },
    4 * hourMs,
  )

/** Asks how many wait. */
export const lag = (context: StepContext): Promise<Figures> =>
  within(context, async (engine) => {
    const beganAtMs = performance.now()
    const { waiting } = await engine.lag!.lag('c', 'g')
    return { lagMs: performance.now() - beganAtMs, waiting }
  })

/** A key for each record. */
export const keys = (context: StepContext): Promise<Figures> =>
  within(context, async (engine) => {
    await declare(engine, ['c'], { keyed: true })
    return measured(context.count, () =>
      publishAll(engine, shape(context, { keyOf: (index) => `key-${index}` }), { to: context.count }),
    )
  })

/** Fails records of as many keys as many groups can hold, so that each waits for its retry and holds its key. */
export const hold = (context: StepContext & { readonly groups: number; readonly delayMs: number }): Promise<Figures> =>
  within(context, async (engine, clock) => {
    const groups = Array.from({ length: context.groups }, (_, index) => `g${index}`)
    await declare(engine, ['c'], { keyed: true, groups })
    const each = Math.floor(context.count / context.groups)
    await publishAll(engine, shape(context, { keyOf: (index) => `key-${index}` }), { to: each })
    return measured(context.count, async () => {
      for (const group of groups) {
        const visibleAtMs = clock.nowMs() + context.delayMs
        const failing = await Consumer.join(engine, { group, prefetch: 4_096 }, ({ tag }) => ({
          kind: 'release',
          tag,
          countsAttempt: true,
          holdKey: true,
          visibleAtMs,
        }))
        await failing.has(each)
        await failing.stop()
      }
    })
  })

/** All that was held is due when the directory is opened, and is handled. */
export const release = (context: StepContext & { readonly groups: number }): Promise<Figures> =>
  within(
    context,
    async (engine) => {
      const each = Math.floor(context.count / context.groups)
      return measured(context.count, async () => {
        const consumers: Consumer[] = []
        for (let index = 0; index < context.groups; index++)
          consumers.push(await Consumer.join(engine, { group: `g${index}`, prefetch: 4_096 }))
        for (const consumer of consumers) await consumer.has(each)
      })
    },
    48 * hourMs,
  )

/** Opens and closes. */
export const open = (context: StepContext): Promise<Figures> => within(context, () => measured(1, async () => {}))

/** Publishes and consumes what passes through, again and again, and looks at the file after each part. */
export const churn = (context: StepContext & { readonly rounds: number }): Promise<Figures> =>
  within(context, async (engine, clock) => {
    await engine.declare({
      channels: [
        { name: 'queue', kind: 'queue', keyed: true },
        { name: 'log', kind: 'log', keyed: false },
        { name: 'kept', kind: 'log', keyed: false, retention: { bytesMax: 150 * context.count, forMs: 24 * hourMs } },
      ],
      groups: ['queue', 'log', 'kept'].map((channel) => ({ channel, group: 'g', from: 'earliest' as const })),
    })
    const names = ['queue', 'log', 'kept']
    const sizes: number[] = []
    const figures = await measured(context.count * context.rounds, async () => {
      const seen = new Set<string>()
      const consumers = await Promise.all(
        names.map((channel) =>
          Consumer.join(engine, { channel, prefetch: 1_024 }, ({ tag, attempt, record }) => {
            if (attempt > 1 || !record.id.endsWith('7')) return { kind: 'ack', tag }
            seen.add(record.id)
            return { kind: 'release', tag, countsAttempt: true, holdKey: true, visibleAtMs: clock.nowMs() + 200 }
          }),
        ),
      )
      const record = shape(context, {
        channelOf: (index) => names[index % 3]!,
        keyOf: (index) => `key-${index % 997}`,
        dueAtMsOf: (index) => (index % 5 === 0 ? clock.nowMs() + 1 + (index % 500) : 0),
      })
      for (let round = 0; round < context.rounds; round++) {
        await publishAll(engine, record, { from: round * context.count, to: (round + 1) * context.count })
        while (
          (await Promise.all(names.map((name) => engine.lag!.lag(name, 'g')))).some(
            (lag) => lag.ready + lag.waiting > 0,
          )
        )
          await new Promise((resolve) => setTimeout(resolve, 5))
        sizes.push(fileMb(context.dir))
        clock.aheadMs += (24 * hourMs) / context.rounds
      }
      for (const consumer of consumers) await consumer.stop()
    })
    const quarter = sizes[Math.floor(sizes.length / 4)]!
    return { ...figures, fileMbAfterAQuarter: quarter, fileMbAtTheEnd: sizes.at(-1)!, fileMbMax: Math.max(...sizes) }
  })
