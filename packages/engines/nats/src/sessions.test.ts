import { describe, expect, it } from 'vitest'
import { FakeBucket } from '../test/fake-bucket.ts'
import { namesFor } from './names.ts'
import { Sessions } from './sessions.ts'

const leaseMs = 900

async function opened() {
  const bucket = new FakeBucket(leaseMs)
  const sessions = new Sessions(bucket.link, namesFor('t'))
  const heard: string[] = []
  const opening = sessions.open()
  await bucket.clock.advance(0)
  await opening
  sessions.listen({
    onChange: () => {},
    onLapsed: () => void heard.push('lapsed'),
    onRenewed: (isNew) => void heard.push(isNew ? 'begun anew' : 'renewed'),
  })
  return { bucket, clock: bucket.clock, sessions, heard, id: sessions.id }
}

describe('a session', () => {
  it('is valid for as long as its signs of life are confirmed', async () => {
    const { bucket, clock, sessions, heard } = await opened()
    await clock.advance(5 * leaseMs)
    expect(sessions.isValid()).toBe(true)
    bucket.isSlow = true
    await clock.advance(leaseMs)
    expect(sessions.isValid()).toBe(false)
    expect(heard).toEqual(['lapsed'])
  })

  it('is the same after an outage, though a sign of life waited through it and its answer takes a while', async () => {
    const { bucket, clock, sessions, heard, id } = await opened()
    bucket.lose()
    await clock.advance(2 * leaseMs)
    bucket.isSlow = true
    bucket.restore()
    await clock.advance(10)
    bucket.isSlow = false
    bucket.flush()
    await clock.advance(10)
    expect(sessions.id).toBe(id)
    expect(sessions.isValid()).toBe(true)
    expect(heard).toEqual(['lapsed', 'renewed'])
  })

  it('is not renewed by a sign of life that is confirmed after its lease, but by the next', async () => {
    const { bucket, clock, sessions, heard } = await opened()
    bucket.isSlow = true
    await clock.advance(2 * leaseMs)
    bucket.flush()
    await clock.advance(1)
    expect(sessions.isValid()).toBe(false)
    expect(heard).toEqual(['lapsed'])
    bucket.flush()
    await clock.advance(1)
    expect(sessions.isValid()).toBe(true)
    expect(heard).toEqual(['lapsed', 'renewed'])
  })

  it('goes on where the answer to a sign of life was lost', async () => {
    const { bucket, clock, sessions, heard, id } = await opened()
    bucket.answerToLose = `s.${id}`
    await clock.advance(leaseMs)
    expect(bucket.answerToLose).toBeUndefined()
    expect(sessions.id).toBe(id)
    expect(heard).toEqual([])
  })

  it('begins anew where somebody has declared it dead', async () => {
    const { bucket, clock, sessions, heard, id } = await opened()
    bucket.delete(`s.${id}`)
    await clock.advance(leaseMs / 3)
    expect(sessions.id).not.toBe(id)
    expect(sessions.isValid()).toBe(true)
    expect(heard).toEqual(['lapsed', 'begun anew'])
    expect(bucket.keys('s.')).toEqual([`s.${sessions.id}`])
  })

  it('tells soon which members joined and left, many at once, however many come and go', async () => {
    const { bucket, clock, sessions, id } = await opened()
    const told = () => sessions.present(clock.nowMs()).get(id)
    const { beat = 0 } = told() ?? {}
    for (let count = 0; count < 10; count += 1) sessions.joined('a.b', 'g')
    sessions.joined('c', 'g')
    sessions.left('c', 'g')
    await clock.advance(50)
    expect(told()).toEqual({ leaseMs, beat: beat + 1, members: { 'a=b.g': 10 } })
    bucket.isSlow = true
    sessions.left('a.b', 'g')
    await clock.advance(50)
    sessions.left('a.b', 'g')
    bucket.isSlow = false
    bucket.flush()
    await clock.advance(50)
    expect(told()).toEqual({ leaseMs, beat: beat + 3, members: { 'a=b.g': 8 } })
    for (let at = 0; at < 100; at += 1) {
      sessions.joined('c', 'g')
      await clock.advance(leaseMs / 20)
    }
    expect(sessions.isValid()).toBe(true)
    expect(told()?.members).toMatchObject({ 'c.g': expect.toSatisfy((count) => count > 90) })
  })

  it('lives also where its members are too many to be told', async () => {
    const { clock, sessions, id } = await opened()
    for (let at = 0; at < 1_000; at += 1) sessions.joined(`a.channel.with.a.long.name.${at}`, 'g')
    await clock.advance(leaseMs)
    expect(sessions.isValid()).toBe(true)
    expect(sessions.present(clock.nowMs()).get(id)).toEqual({ leaseMs, beat: expect.any(Number) })
  })

  it('is not present once it was silent for its lease by the clock of the server, though it was heard of just now', async () => {
    const { bucket, clock, sessions, id } = await opened()
    sessions.joined('c', 'g')
    await clock.advance(leaseMs)
    // Its process stops; another one begins to watch.
    bucket.isSlow = true
    await clock.advance(leaseMs / 2)
    const watcher = new Sessions(bucket.link, namesFor('t'))
    const opening = watcher.open()
    await clock.advance(0)
    bucket.isSlow = false
    bucket.flush()
    await opening
    expect([...watcher.present(clock.nowMs()).keys()].sort()).toEqual([id, watcher.id].sort())
    expect([...watcher.present(clock.nowMs() + 2 * leaseMs).keys()]).toEqual([watcher.id])
    expect(watcher.isAlive(id)).toBe(true)
    await sessions.close()
    await watcher.close()
  })
})
