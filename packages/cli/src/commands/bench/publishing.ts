import { type Headers, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { EngineSurroundings } from '../../engine/engine-command.ts'
import type { Measured } from './figures.ts'
import type { Load } from './load.ts'

/**
 * Publishes all messages, with so many batches under way.
 * @throws the first failure
 */
export async function publishAll(load: Load, { engine, io }: EngineSurroundings): Promise<Measured> {
  const { messages, batch, inFlight, bytes } = load
  const { clock, signal } = io
  const timesMs: number[] = []
  let taken = 0
  let count = 0
  const make = recordsOf(load, new Uint8Array(bytes).fill(0x78))
  const worker = async (): Promise<void> => {
    while (taken < messages && !signal.aborted) {
      const records = make(taken, Math.min(batch, messages - taken))
      taken += records.length
      const begunMs = clock.monotonicMs()
      const outcomes = await engine.publish(records)
      timesMs.push(clock.monotonicMs() - begunMs)
      for (const outcome of outcomes) if (!outcome.ok) throw outcome.error
      if (outcomes.length !== records.length) throw new PosthasteError('INTERNAL', 'the engine did not answer for all')
      count += outcomes.length
    }
  }
  const begunMs = clock.monotonicMs()
  await Promise.all(Array.from({ length: inFlight }, worker))
  return { count, elapsedMs: clock.monotonicMs() - begunMs, timesMs }
}

function recordsOf({ channel, runId }: Load, body: Uint8Array): (from: number, count: number) => OutgoingRecord[] {
  const headers: Headers = { type: channel, source: '/posthaste-cli', datacontenttype: 'text/plain' }
  return (from, count) =>
    Array.from({ length: count }, (_, at) => ({ id: `${runId}-${from + at}`, channel, headers, body }))
}
