import { type HeapProfiler, Session } from 'node:inspector/promises'
import { getHeapStatistics } from 'node:v8'
import { loopAwaiting } from './speed.ts'

/** What a function allocated itself, for each call. */
export interface Allocating {
  readonly name: string
  /** File and line, from the workspace's root; empty for what is not JavaScript. */
  readonly place: string
  readonly bytes: number
}

/** What the calls under way hold, for each of them: how many of a kind. */
export type Held = Readonly<Record<string, number>>

/** Bytes that were allocated for each call, garbage included. */
export async function bytesPerCall(run: () => unknown, calls: number): Promise<number> {
  const before = allocatedBytes()
  await loopAwaiting(run, calls)
  return (allocatedBytes() - before) / calls
}

/** From Node 25 on. */
function allocatedBytes(): number {
  const { total_allocated_bytes: bytes } = getHeapStatistics() as unknown as { readonly total_allocated_bytes?: number }
  return bytes ?? Number.NaN
}

const samplingInterval = 256

/** The functions that allocated most, garbage included, by the heap profiler's samples. */
export async function allocatingFunctions(run: () => unknown, calls: number): Promise<readonly Allocating[]> {
  const session = new Session()
  session.connect()
  await session.post('HeapProfiler.startSampling', {
    samplingInterval,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  })
  await loopAwaiting(run, calls)
  const { profile } = await session.post('HeapProfiler.stopSampling')
  session.disconnect()
  const byPlace = new Map<string, Allocating>()
  const add = ({ callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode): void => {
    const { functionName, url, lineNumber } = callFrame
    const name = functionName || '(anonymous)'
    const file = url
      .split('/')
      .slice(url.includes('/node_modules/') ? -3 : -4)
      .join('/')
    const place = url === '' ? '' : `${file}:${lineNumber + 1}`
    const known = byPlace.get(`${name} ${place}`)?.bytes ?? 0
    byPlace.set(`${name} ${place}`, { name, place, bytes: known + selfSize / calls })
    for (const child of children) add(child)
  }
  add(profile.head)
  return [...byPlace.values()].sort((a, b) => b.bytes - a.bytes)
}

/**
 * What calls hold while they are under way, by kind, as the difference of two snapshots of the heap: without them, and with
 * `calls` of them. Whatever a call makes for its time, a timer, a signal, a closure, is there by then.
 *
 * @param begin begins a call that does not end before `end` is called
 */
export async function heldUnderWay(
  calls: number,
  { begin, end }: { readonly begin: () => unknown; readonly end: () => Promise<void> },
): Promise<Held> {
  const before = await kindsInHeap()
  const running = Array.from({ length: calls }, begin)
  const during = await kindsInHeap()
  await end()
  await Promise.allSettled(running)
  const held: Record<string, number> = {}
  for (const [kind, count] of during) {
    const each = (count - (before.get(kind) ?? 0)) / calls
    // A few of anything are the snapshot's own.
    if (each >= 0.5) held[kind] = Math.round(each * 10) / 10
  }
  return held
}

/** @see https://developer.chrome.com/docs/devtools/memory-problems/heap-snapshots for the format: rows of numbers */
interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[]
      readonly node_types: readonly [readonly string[]]
      readonly location_fields: readonly string[]
    }
  }
  readonly nodes: readonly number[]
  readonly strings: readonly string[]
  /** Where closures and objects come from: those of the language itself come from nowhere. */
  readonly locations: readonly number[]
}

async function kindsInHeap(): Promise<ReadonlyMap<string, number>> {
  const session = new Session()
  session.connect()
  const chunks: string[] = []
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => chunks.push(params.chunk))
  await session.post('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
  session.disconnect()
  return kindsOf(JSON.parse(chunks.join('')) as Snapshot)
}

function kindsOf({ snapshot, nodes, strings, locations }: Snapshot): ReadonlyMap<string, number> {
  const { node_fields: fields, node_types: types, location_fields: locationFields } = snapshot.meta
  const written = new Set<number>()
  for (let at = 0; at < locations.length; at += locationFields.length) written.add(locations[at]!)
  const kinds = new Map<string, number>()
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = kindOf(types[0][nodes[at]!], strings[nodes[at + 1]!], written.has(at))
    if (kind !== undefined) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  return kinds
}

function kindOf(type: string | undefined, name: string | undefined, isWritten: boolean): string | undefined {
  if (type === 'closure') return isWritten ? 'closure' : 'function of a promise'
  return type === 'object' ? name : undefined
}
