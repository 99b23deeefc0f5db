import { crc32 } from 'node:zlib'
import type { Plan } from '../contracts.ts'
import type { Dead, Derived, End, Entry, Intent, Place, Start, Stored } from '../journal.ts'

/*
 * Entries of journals as tests write them: of the group `handler` of `torture.work` unless told otherwise. The second part
 * of an id is the message's number.
 */

export const fine: Plan = { kind: 'fine', at: '', failures: 0 }
export const rejected: Plan = { kind: 'rejected', at: 'handler', failures: 0 }
export const poison: Plan = { kind: 'poison', at: 'handler', failures: 0 }
export const flaky: Plan = { kind: 'flaky', at: 'handler', failures: 2 }

export function intent(id: string, more: Partial<Intent> = {}): Intent {
  const seq = Number(id.split('-')[1])
  const said = { t: 'intent', id, channel: 'torture.work', key: 'k', seq, plan: fine, sum: crc32(id) } as const
  return { ...said, atMs: 1_000, headers: { tag: 'tag' }, ...more }
}

export const confirmed = (id: string): Entry => ({ t: 'confirmed', id })

export function placeOf(id: string, more: Partial<Place> = {}): Place {
  return { channel: 'torture.work', group: 'handler', id, ...more }
}

export function start(id: string, attempt = 1, more: Partial<Start> = {}): Start {
  return { t: 'start', ...placeOf(id), key: 'k', attempt, sum: crc32(id), atMs: 1_000, ...more }
}

export const end = (id: string, outcome: End['outcome'] = 'success', more: Partial<Place> = {}): End => {
  return { t: 'end', ...placeOf(id), ...more, outcome }
}

export function dead(id: string, code: string, more: Partial<Dead> = {}): Dead {
  const headers = { type: more.channel ?? 'torture.work', tag: 'tag' }
  const letter = { t: 'dead', ...placeOf(id), key: 'k', code, attempts: 9, bodySum: crc32(id), headers } as const
  return { ...letter, atMs: 2_000, ...more }
}

/** Handled in one go, in a place of its own and without a key where told. */
export function handled(id: string, attempt = 1, more: Partial<Start> = {}): Entry[] {
  const place = placeOf(id, more)
  return [start(id, attempt, more), end(id, 'success', { channel: place.channel, group: place.group })]
}

export const published = (...ids: readonly string[]): Entry[] => ids.flatMap((id) => [intent(id), confirmed(id)])

/** Published to a channel without keys. */
export function publishedTo(channel: string, id: string, more: Partial<Intent> = {}): Entry[] {
  return [intent(id, { channel, key: undefined, ...more }), confirmed(id)]
}

export const relay = { channel: 'torture.upstream', group: 'relay' }
export const sink = { channel: 'torture.downstream', group: 'sink' }

export const derived = (id: string, of: string): Derived => {
  return { t: 'derived', id, of, channel: sink.channel, key: 'k', seq: 1, sum: crc32(id) }
}

export const stored = (id: string, more: Partial<Stored> = {}): Stored => {
  return { t: 'stored', channel: sink.channel, id, atMs: 1_000, ...more }
}

/** An upstream message and the one that its handler publishes, up to the last entry. */
export const flow: readonly Entry[] = [
  intent('u-1', relay),
  confirmed('u-1'),
  start('u-1', 1, relay),
  derived('d-1', 'u-1'),
  end('u-1', 'success', relay),
  start('d-1', 1, sink),
  end('d-1', 'success', sink),
  stored('d-1'),
]

export function burying(t: 'redriving' | 'discarding' | 'discarded', id: string, more: Partial<Place> = {}): Entry {
  return { t, ...placeOf(id, more) }
}

/** Journals of some lives. */
export type Lives = readonly (readonly Entry[])[]
