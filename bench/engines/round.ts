import { randomBytes } from 'node:crypto'
import type { Cost } from '../measure.ts'
import { bus } from './bus.ts'
import type { ServerName } from './contestant.ts'
import { measured, type Task } from './measure.ts'
import { raw } from './raw/all.ts'

/** Who works: our bus, the raw client with bodies alone, or the raw client with the attributes that the bus sends. */
export const sides = ['bus', 'raw', 'raw, same attributes'] as const

/** Who works. */
export type Side = (typeof sides)[number]

/** One round of one contestant. */
export interface Round extends Task {
  readonly server: ServerName
  readonly url: string
  readonly side: Side
  readonly bytes: number
}

/** Connects, measures, and leaves the server as it was. */
export async function play({ server, url, side, bytes, ...task }: Round): Promise<Cost> {
  const contestant = side === 'bus' ? bus(server) : await raw[server]()
  const prefix = `bench-${randomBytes(3).toString('hex')}-`
  const attributes = side === 'raw, same attributes'
  const opened = await contestant.open({ url, prefix, bytes, window: task.window, attributes })
  try {
    return await measured(opened, task)
  } finally {
    await opened.close()
  }
}
