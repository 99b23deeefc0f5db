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
})
