import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  type Engine,
  PosthasteError,
} from '@posthaste/contracts'

/** How many records of a page of the engine's are looked through at a time. */
const scanSize = 500
/** How many of the engine's pages one call looks through: looking for a needle must come back in a while, too. */
const pagesMax = 100

/**
 * The engine's view into channels.
 * @throws CAPABILITY_UNSUPPORTED where there is none
 */
export function browsingOf(engine: Engine): Browsing {
  if (engine.browsing === undefined) throw unsupported(engine, 'look into channels')
  return engine.browsing
}

/** The error of an engine that cannot do something. */
export function unsupported(engine: Engine, what: string): PosthasteError {
  return new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${engine.name} cannot ${what}`)
}

/** A page of a channel; an empty one where nobody has declared it, since looking must not make a channel. */
export async function pageOf(browsing: Browsing, query: BrowseQuery): Promise<BrowsePage> {
  try {
    return await browsing.browse(query)
  } catch (error) {
    if (PosthasteError.is(error, 'NOT_FOUND')) return { records: [], next: undefined }
    throw error
  }
}

/**
 * Goes on over the engine's pages, which may be short or empty, until there are as many records as asked for, the end is
 * reached, or one call has looked long enough: then `next` tells where to go on.
 *
 * @param accepts what the engine cannot tell: only these are answered
 */
export async function scan(
  browsing: Browsing,
  query: BrowseQuery,
  accepts: ((found: BrowsedRecord) => boolean) | undefined,
): Promise<BrowsePage> {
  const records: BrowsedRecord[] = []
  let after = query.after
  for (let page = 0; page < pagesMax; page++) {
    // One that is looked for among many is not found sooner by asking for one at a time.
    const left = query.limit - records.length
    const found = await pageOf(browsing, { ...query, after, limit: accepts === undefined ? left : scanSize })
    for (const [at, record] of found.records.entries()) {
      if (accepts !== undefined && !accepts(record)) continue
      records.push(record)
      if (records.length < query.limit) continue
      const isLast = at === found.records.length - 1
      return { records, next: isLast ? found.next : record.position }
    }
    after = found.next
    if (after === undefined) break
  }
  return { records, next: after }
}
