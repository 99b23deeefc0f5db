import { type Profiler, Session } from 'node:inspector/promises'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Time that a function took itself, without what it called. */
export interface SelfTime {
  readonly name: string
  /** File and line, relative to `root`; empty for what is not JavaScript. */
  readonly place: string
  readonly percent: number
}

const samplingIntervalUs = 200

/** Runs under the CPU profiler of the inspector. */
export async function profileOf(run: () => Promise<unknown>): Promise<Profiler.Profile> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: samplingIntervalUs })
  await session.post('Profiler.start')
  await run()
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  return profile
}

/** The functions that took most time themselves, of the time that anything ran. */
export function selfTimesOf(
  profile: Profiler.Profile,
  limits: { readonly top: number; readonly root: string },
): SelfTime[] {
  const byNode = new Map(profile.nodes.map((node) => [node.id, node]))
  const times = new Map<string, { name: string; place: string; us: number }>()
  let totalUs = 0
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const { functionName, url, lineNumber } = byNode.get(id)!.callFrame
    const name = functionName || '(anonymous)'
    if (name === '(idle)') continue
    const us = profile.timeDeltas?.[index] ?? 0
    const place = url === '' ? '' : `${placeOf(url, limits.root)}:${lineNumber + 1}`
    const known = times.get(`${name} ${place}`) ?? { name, place, us: 0 }
    known.us += us
    times.set(`${name} ${place}`, known)
    totalUs += us
  }
  const sorted = [...times.values()].sort((a, b) => b.us - a.us).slice(0, limits.top)
  return sorted.map(({ name, place, us }) => ({ name, place, percent: (us / totalUs) * 100 }))
}

function placeOf(url: string, root: string): string {
  return url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url
}
