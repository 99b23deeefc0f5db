import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { declare, Rig, record } from '../../test/rig.ts'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig.close())

describe('a broker that is asked for everything', () => {
  it('tells it in pages that are large enough, each once', async () => {
    const engine = await rig.engine(await rig.broker())
    await declare(engine)
    const headers = { type: 'a.b', source: '/x', long: 'x'.repeat(30_000) }
    const ids = Array.from({ length: 200 }, (_, at) => `${at}`)
    const outcomes = await engine.publish(ids.map((id) => record(id, { headers })))
    expect(outcomes.every(({ ok }) => ok)).toBe(true)
    const pages: string[][] = []
    let after: string | undefined
    do {
      const page = await engine.browsing!.browse({ channel: 'c', limit: 10_000, after })
      pages.push(page.records.map(({ record: { id } }) => id))
      after = page.next
    } while (after !== undefined)
    expect(pages).toHaveLength(2)
    expect(pages.flat()).toEqual(ids)
  })

  it('tells of all that is prepared, however large and however many', async () => {
    const engine = await rig.engine(await rig.broker(), { sessionMs: 20_000, timeoutMs: 60_000 })
    await declare(engine)
    const preparing = engine.preparing!
    const body = new Uint8Array(1.5 * 1024 * 1024)
    const large = ['1', '2', '3', '4', '5']
    for (const id of large) await preparing.prepare(record(id, { body }), Number(id))
    const small = Array.from({ length: 1_100 }, (_, at) => `s${at}`)
    await Promise.all(small.map((id) => preparing.prepare(record(id), Number.POSITIVE_INFINITY)))
    const ids = async (limit: number) => (await preparing.prepared('c', limit)).map(({ record: { id } }) => id)
    expect(await ids(10_000)).toEqual([...large, ...small.sort()])
    expect(await ids(4)).toEqual(large.slice(0, 4))
    await preparing.rollback([{ channel: 'c', id: '1' }])
    expect(await ids(3)).toEqual(['2', '3', '4'])
    await expect(ids(0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
