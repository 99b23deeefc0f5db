import type { NoteChange } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { FakeBucket } from '../test/fake-bucket.ts'
import { namesFor } from './names.ts'
import { Notes } from './notes.ts'

const edition = 'c.g.0.edition'

function readers() {
  const bucket = new FakeBucket(1_000)
  const place = { bucket: namesFor('t').notes, channel: 'c', group: 'g', range: 0 }
  const reader = (isOurs = () => true) => new Notes(bucket.link, { ...place, isOurs })
  const told = async () => (await reader().load()).map(({ name }) => name)
  return { bucket, reader, told }
}

function written(name: string): NoteChange {
  return { name, record: { id: '1', channel: 'c', headers: {}, body: new Uint8Array(1) } }
}

/** So many that another edition is due. */
const erasures: readonly NoteChange[] = Array.from({ length: 1_001 }, (_, at) => ({ name: `${at}`, record: undefined }))

describe('what is noted of a range', () => {
  it('is taken over whole by an edition whose confirmation was lost, and by the one that follows it', async () => {
    const { bucket, reader, told } = readers()
    const notes = reader()
    await notes.load()
    await notes.change([written('a')])
    await notes.change(erasures)
    const before = bucket.value(edition)
    bucket.answerToLose = edition
    await expect(notes.change([written('b')])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const lost = bucket.value(edition)
    await notes.change([written('b')])
    expect(new Set([before, lost, bucket.value(edition)]).size).toBe(3)
    expect(await told()).toEqual(['a', 'b'])
  })

  it('is read again where the confirmation of the reader’s own edition was lost', async () => {
    const { bucket, reader, told } = readers()
    const notes = reader()
    await notes.load()
    await notes.change([written('a')])
    const next = reader()
    bucket.answerToLose = edition
    await expect(next.load()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect((await next.load()).map(({ name }) => name)).toEqual(['a'])
    await next.change([written('b')])
    expect(await told()).toEqual(['a', 'b'])
  })

  it('waits for the edition that is being made, so that nothing is written to the one before', async () => {
    const { bucket, reader, told } = readers()
    const notes = reader()
    await notes.load()
    await notes.change(erasures)
    bucket.isSlow = true
    const changing = [notes.change([written('a')])]
    await bucket.clock.advance(1)
    changing.push(notes.change([written('b')]))
    for (let turn = 0; turn < 3; turn += 1) {
      await bucket.clock.advance(1)
      bucket.flush()
    }
    bucket.isSlow = false
    await Promise.all(changing)
    expect(await told()).toEqual(['a', 'b'])
  })

  it('is not taken over by a reader that was late, whenever its successor has begun', async () => {
    const { bucket, reader, told } = readers()
    const next = reader()
    let isFirst = true
    const late = reader(() => isFirst)
    bucket.beforeReading = async () => {
      isFirst = false
      await next.load()
    }
    await expect(late.load()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await next.change([written('a')])
    expect(await told()).toEqual(['a'])
  })

  it('holds again with the next edition where the one that holds was lost', async () => {
    const { bucket, reader, told } = readers()
    const notes = reader()
    await notes.load()
    await notes.change([written('a')])
    bucket.bringBack(edition, 'of before')
    await notes.change(erasures)
    await notes.change([written('b')])
    expect(await told()).toEqual(['a', 'b'])
  })

  it('stays with the successor of a reader that makes another edition', async () => {
    const { reader, told } = readers()
    let isOurs = true
    const former = reader(() => isOurs)
    await former.load()
    await former.change(erasures)
    isOurs = false
    const next = reader()
    await next.load()
    await next.change([written('b')])
    await expect(former.change([written('a')])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await told()).toEqual(['b'])
  })
})
