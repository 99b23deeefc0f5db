import type { NoteChange } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { FakeBucket } from '../test/fake-bucket.ts'
import { namesFor } from './names.ts'
import { Notes } from './notes.ts'

const edition = 'c.g.0.edition'

function readers() {
  const bucket = new FakeBucket(1_000)
  const reader = () => new Notes(bucket.link, namesFor('t').notes, { channel: 'c', group: 'g', range: 0 })
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
})
