import type { Browsing, RecordMatch } from '@posthaste/contracts'
import type { Io } from '../../io.ts'
import { pause } from '../../waiting.ts'
import type { Emit } from './emit.ts'

/** What is looked through. */
export interface BrowsingFollow {
  readonly io: Io
  readonly browsing: Browsing
  readonly channel: string
  /** Whether it goes on at the end, with what comes. */
  readonly follows: boolean
  readonly match: RecordMatch
  readonly emit: Emit
  /** Told once it is sure that there is such a channel, before anything is shown. */
  readonly begun: () => Promise<void>
}

const pageSize = 500
const lookEveryMs = 250

/** Goes through a channel page by page, and on with what comes. @throws NOT_FOUND */
export async function followBrowsing(follow: BrowsingFollow): Promise<void> {
  const { io, browsing, channel, follows, match, emit, begun } = follow
  let after: string | undefined
  let hasBegun = false
  while (!io.signal.aborted) {
    const page = await browsing.browse({ channel, limit: pageSize, after, match })
    if (!hasBegun) await begun()
    hasBegun = true
    for (const found of page.records) {
      if (io.signal.aborted || (await emit(found)) === 'enough') return
      after = found.position
    }
    after = page.next ?? after
    if (page.next !== undefined) continue
    if (!follows) return
    await pause(lookEveryMs, io.clock, io.signal)
  }
}
