import { describe, expect, it } from 'vitest'
import { FakeBucket } from '../test/fake-bucket.ts'
import type { Channel } from './channel.ts'
import { namesFor } from './names.ts'
import { RangeReader } from './range-reader.ts'
import type { ServerTime } from './time.ts'

const edition = 'c.g.0.edition'
const quietMs = 1_000

/** Begins to read the only range, while `owns` says that it is the member's. */
function reader(bucket: FakeBucket, quiet: number, owns = () => true): RangeReader {
  const spec = {
    channel: 'c',
    group: 'g',
    range: 0,
    stream: 's',
    consumer: 'g@0',
    of: {} as Channel,
    bucket: namesFor('t').notes,
  }
  return new RangeReader(spec, quiet, {
    link: bucket.link,
    time: {} as ServerTime,
    owns,
    onAssigned() {},
    onReady() {},
    onGone() {},
    nextTag: () => 1,
  })
}

describe('a reader of a key range', () => {
  it('leaves the notes to its successor where it ended while it still waited for its predecessor', async () => {
    const bucket = new FakeBucket(quietMs)
    const waiting = reader(bucket, quietMs)
    await waiting.giveUp()
    const next = reader(bucket, 0)
    await bucket.clock.advance(1)
    const held = bucket.value(edition)
    expect([held, next.isAssigned]).toEqual([expect.any(String), true])
    await bucket.clock.advance(2 * quietMs)
    expect(bucket.value(edition)).toBe(held)
  })

  it('leaves the notes to its successor where its range is somebody else’s before it has begun', async () => {
    const bucket = new FakeBucket(quietMs)
    let isOurs = true
    const waiting = reader(bucket, quietMs, () => isOurs)
    isOurs = false
    await bucket.clock.advance(2 * quietMs)
    expect([bucket.value(edition), waiting.isAssigned]).toEqual([undefined, false])
    isOurs = true
    await bucket.clock.advance(quietMs)
    expect([bucket.value(edition), waiting.isAssigned]).toEqual([expect.any(String), true])
  })
})
