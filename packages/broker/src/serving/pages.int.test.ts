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

  it('tells of what is prepared as much as is enough, from the front', async () => {
    const engine = await rig.engine(await rig.broker())
    await declare(engine)
    const body = new Uint8Array(1.5 * 1024 * 1024)
    for (const id of ['1', '2', '3', '4', '5']) await engine.preparing!.prepare(record(id, { body }), Number(id))
    const ids = async () => (await engine.preparing!.prepared('c', 10_000)).map(({ record: { id } }) => id)
    expect(await ids()).toEqual(['1', '2', '3'])
    await engine.preparing!.rollback([{ channel: 'c', id: '1' }])
    expect(await ids()).toEqual(['2', '3', '4'])
  })
})
