import { crc32 } from 'node:zlib'

/** What becomes of a prepared message: its id says it, as the local transaction would that it belongs to. */
export interface Resolution {
  readonly decision: 'commit' | 'rollback'
  /** How often nobody can say yet, when asked. */
  readonly unknownTimes: number
}

/** The same for an id in every life. */
export function resolutionOf(id: string): Resolution {
  const chance = crc32(id)
  return { decision: chance % 3 === 0 ? 'rollback' : 'commit', unknownTimes: (chance >>> 8) % 3 }
}
