import { PosthasteError } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../test/memory-store.ts'
import { Committer, type Participant } from './committer.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A participant that tells what happens to it. */
function participant(name: string, events: string[]): Participant {
  return { write: () => void events.push(`write ${name}`), committed: () => void events.push(`committed ${name}`) }
}

/** A store whose commits end when the test says so. */
function started() {
  const store = new MemoryStore()
  const failures: PosthasteError[] = []
  const clock = manualClock()
  const ends: { resolve: () => void; reject: (cause: unknown) => void }[] = []
  store.failing = () => new Promise<void>((resolve, reject) => ends.push({ resolve, reject }))
  const committer = new Committer(
    store,
    (failure) => failures.push(failure),
    (delayMs, fire) => clock.setTimer(delayMs, fire),
  )
  return { store, committer, failures, clock, ends }
}

describe('Committer', () => {
  it('writes one transaction at a time, and what comes meanwhile with the next', async () => {
    const { committer, ends } = started()
    const events: string[] = []
    const [a, b] = [participant('a', events), participant('b', events)]
    committer.join(a)
    committer.join(a)
    committer.wait(() => events.push('told a'))
    await turn()
    expect(events).toEqual(['write a'])
    committer.join(b)
    committer.join(a)
    committer.wait(() => events.push('told b'))
    await turn()
    expect(ends).toHaveLength(1)
    ends[0]?.resolve()
    await turn()
    await turn()
    // The next one is under way before anybody is told, so that the disk works while they do.
    expect(events).toEqual(['write a', 'committed a', 'write b', 'write a', 'told a'])
    ends[1]?.resolve()
    await turn()
    expect(events.slice(5)).toEqual(['committed b', 'committed a', 'told b'])
  })

  it('begins to write within a turn that has brought enough, and still writes one at a time', async () => {
    const { committer, ends } = started()
    const told: number[] = []
    for (const which of [1, 2]) committer.wait(() => told.push(which), 600)
    await turn()
    expect(ends).toHaveLength(1)
    ends[0]?.resolve()
    await turn()
    expect(told).toEqual([1])
    await turn()
    ends[1]?.resolve()
    await turn()
    expect(told).toEqual([1, 2])
  })

  it('tells everybody of a write that failed, whenever they came, and writes nothing any more', async () => {
    const { committer, ends, failures } = started()
    const events: string[] = []
    const told: (string | undefined)[] = []
    committer.join(participant('a', events))
    committer.wait((failure) => told.push(failure?.code))
    await turn()
    committer.join(participant('b', events))
    const flushed = committer.flushed()
    committer.wait((failure) => told.push(failure?.code))
    ends[0]?.reject(new Error('no space left on device'))
    await expect(flushed).rejects.toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
    expect(told).toEqual(['ENGINE_WRITE_FAILED', 'ENGINE_WRITE_FAILED'])
    await expect(committer.flushed()).rejects.toBe(committer.failure)
    committer.join(participant('c', events))
    await turn()
    expect(events).toEqual(['write a'])
    expect([ends.length, failures.length, failures[0]?.message]).toEqual([
      1,
      1,
      expect.stringContaining('no space left'),
    ])
  })

  it('fails when a participant throws, before anything is half written', async () => {
    const { committer, store, ends } = started()
    committer.join({
      write: (tx) => {
        tx.put('meta', Buffer.from('half'), Buffer.from('1'))
        throw new Error('broken')
      },
      committed: () => {},
    })
    await expect(committer.flushed()).rejects.toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
    expect([ends.length, store.count('meta')]).toEqual([0, 0])
  })

  it('takes a disk that does not answer for half a minute for broken, and no sooner', async () => {
    const { committer, clock, ends } = started()
    const flushed = committer.flushed()
    const outcome = flushed.catch((error: unknown) => error)
    await turn()
    expect(ends).toHaveLength(1)
    for (let second = 0; second < 29; second++) {
      await clock.advance(1_000)
      await turn()
      await turn()
    }
    expect(committer.failure).toBeUndefined()
    await clock.advance(1_000)
    expect(await outcome).toMatchObject({ code: 'ENGINE_WRITE_FAILED', message: expect.stringContaining('no answer') })
  })

  it('does not take a process that stood still for a broken disk', async () => {
    const { committer, clock, ends } = started()
    const flushed = committer.flushed()
    await turn()
    // As after SIGSTOP: the timer is long due, and the answer is there to be read.
    void clock.advance(3_600_000)
    ends[0]?.resolve()
    await expect(flushed).resolves.toBeUndefined()
    expect([committer.failure, clock.pending()]).toEqual([undefined, 0])
  })

  it('answers at once with ENGINE_CLOSED when the store is about to be closed', async () => {
    const { committer, ends } = started()
    committer.close()
    await expect(committer.flushed()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    committer.join(participant('a', []))
    await turn()
    expect(ends).toHaveLength(0)
    expect(PosthasteError.is(committer.failure)).toBe(true)
  })

  it('begins nothing for who joins again while the last transaction before the close ends', async () => {
    const { committer, ends } = started()
    const again: Participant = { write: () => {}, committed: () => committer.join(again) }
    committer.join(again)
    await turn()
    committer.close()
    ends[0]?.resolve()
    await turn()
    await turn()
    expect(ends).toHaveLength(1)
  })
})
