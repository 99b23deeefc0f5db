import { describe, expect, it } from 'vitest'
import { FakeBucket } from '../test/fake-bucket.ts'
import { Claims } from './claims.ts'
import { namesFor } from './names.ts'
import { Sessions } from './sessions.ts'

const leaseMs = 800

/** Members of one process. */
class Process {
  readonly bucket = new FakeBucket(leaseMs)
  readonly clock = this.bucket.clock
  readonly sessions = new Sessions(this.bucket.link, namesFor('t'))

  /** A member that reads what it is granted, and gives up at once what it is to give up. */
  join(keyRanges: number) {
    const { bucket, sessions } = this
    const reading = new Set<number>()
    const grantedTwice: number[] = []
    const claims: Claims = new Claims(
      { channel: 'c', group: 'g', member: 'm', keyRanges },
      {
        onGranted(range) {
          if (reading.has(range)) grantedTwice.push(range)
          reading.add(range)
        },
        onRecalled(range) {
          reading.delete(range)
          void claims.release(range)
        },
        onTaken: (range) => void reading.delete(range),
      },
      { link: bucket.link, sessions },
    )
    const owned = () => Array.from({ length: keyRanges }, (_, range) => range).filter((range) => claims.owns(range))
    const opening = claims.open()
    return { claims, opening, owned, grantedTwice, reading: () => [...reading].sort() }
  }
}

describe('the claims of a member', () => {
  it('are all ranges where it is alone, and its share where it is not', async () => {
    const process = new Process()
    const first = process.join(4)
    await process.clock.advance(leaseMs)
    expect(first.reading()).toEqual([0, 1, 2, 3])
    const second = process.join(4)
    await process.clock.advance(leaseMs)
    expect([first.reading().length, second.reading().length]).toEqual([2, 2])
    expect([...first.owned(), ...second.owned()].sort()).toEqual([0, 1, 2, 3])
  })

  it('are read again after an outage', async () => {
    const process = new Process()
    const { reading, grantedTwice } = process.join(3)
    await process.clock.advance(leaseMs)
    process.bucket.lose()
    await process.clock.advance(2 * leaseMs)
    expect(reading()).toEqual([])
    process.bucket.restore()
    await process.clock.advance(10)
    expect(reading()).toEqual([0, 1, 2])
    expect(grantedTwice).toEqual([])
  })

  it('begin with the session that they were made for, and not before it is renewed', async () => {
    const process = new Process()
    const { bucket, clock, sessions } = process
    const opening = sessions.open()
    await clock.advance(0)
    await opening
    bucket.isSlow = true
    const { reading, owned, grantedTwice } = process.join(3)
    await clock.advance(0)
    bucket.flush()
    // The claim of the first range is under way now, and the session ends before it is confirmed.
    await clock.advance(2 * leaseMs)
    bucket.delete(`s.${sessions.id}`)
    bucket.flush()
    await clock.advance(0)
    expect(reading()).toEqual([])
    bucket.isSlow = false
    bucket.flush()
    await clock.advance(leaseMs)
    expect(reading()).toEqual([0, 1, 2])
    expect(owned()).toEqual([0, 1, 2])
    expect(grantedTwice).toEqual([])
  })

  it('include what the member was not told that it has', async () => {
    const process = new Process()
    process.bucket.answerToLose = 'r.c.g.1'
    const { reading, owned } = process.join(3)
    await process.clock.advance(leaseMs)
    expect(process.bucket.answerToLose).toBeUndefined()
    expect(reading()).toEqual([0, 1, 2])
    expect(owned()).toEqual([0, 1, 2])
  })

  it('leave to others what the member was not told that it has and may not have', async () => {
    const process = new Process()
    process.bucket.answerToLose = 'r.c.g.1'
    const first = process.join(2)
    const second = process.join(2)
    await process.clock.advance(leaseMs)
    expect([...first.owned(), ...second.owned()].sort()).toEqual([0, 1])
    expect([first.owned().length, second.owned().length]).toEqual([1, 1])
  })

  it('do not leave anything to a member that left, which a server has brought back', async () => {
    const process = new Process()
    const { bucket, clock, sessions } = process
    const first = process.join(2)
    await clock.advance(leaseMs)
    const [own] = bucket.keys('m.')
    const second = process.join(2)
    await clock.advance(leaseMs)
    const [key = ''] = bucket.keys('m.').filter((each) => each !== own)
    await second.claims.close()
    await clock.advance(leaseMs)
    bucket.bringBack(key, sessions.id)
    await clock.advance(leaseMs)
    expect(bucket.keys('m.')).toEqual([own])
    expect(first.reading()).toEqual([0, 1])
  })

  it('are others’ once there is a connection, where the member left without one', async () => {
    const process = new Process()
    const first = process.join(3)
    await process.clock.advance(leaseMs)
    process.bucket.lose()
    await first.claims.close()
    await process.clock.advance(10)
    process.bucket.restore()
    await process.clock.advance(leaseMs)
    expect(process.bucket.keys('m.')).toEqual([])
    const second = process.join(3)
    await process.clock.advance(leaseMs)
    expect(second.reading()).toEqual([0, 1, 2])
  })
})
