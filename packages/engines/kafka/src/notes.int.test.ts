import type { Note, NoteChange } from '@posthaste/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { howToStart, server } from '../test/installation.ts'
import { declare, Rig, record, until, Witness } from '../test/rig.ts'

describe('what is noted with key ranges on Kafka', { timeout: 60_000 }, () => {
  if (server === undefined) {
    it('needs a server', (context) => context.skip(howToStart))
    return
  }
  const { url } = server
  let rig: Rig
  beforeEach(() => {
    rig = new Rig(url)
  })
  afterEach(() => rig.end())

  const change = (name: string, group?: string): NoteChange => ({
    name,
    record: record(name, group === undefined ? {} : { group }),
  })

  const note = (member: Witness, range: string, ...changes: NoteChange[]) =>
    member.subscription?.ranges?.note(range, changes)

  const namesOf = (notes: readonly Note[] = []) => notes.map(({ name }) => name)

  it('is counted where no member of the engine reads the range', async () => {
    const [one, other] = [await rig.open(), await rig.open()]
    await declare(one)
    const noted = async () => [(await one.lag?.lag('c', 'g'))?.noted, (await other.lag?.lag('c', 'g'))?.noted]
    expect(await noted()).toEqual([0, 0])
    const member = await Witness.join(one)
    await until(() => member.owned.size === 4, 'all ranges')
    for (const range of ['0', '3']) await note(member, range, change('session'), change('a'), change('b'))
    expect(await noted()).toEqual([0, 4])
    await note(member, '3', { name: 'a', record: undefined }, change('b'))
    expect(await noted()).toEqual([0, 3])
    await member.subscription?.stop()
    expect(await noted()).toEqual([3, 3])
  })

  it('is forgotten by a seek where it stands in the log, and stays where it was addressed to the group alone', async () => {
    const engine = await rig.open()
    await declare(engine)
    const member = await Witness.join(engine)
    await until(() => member.owned.size === 4, 'all ranges')
    await engine.publish([record('1'), record('2')])
    await until(() => member.ids.length === 2, 'both')
    await note(member, '2', change('session'), change('a'), change('b', 'g'))
    await note(member, '3', change('c', 'g'))
    await member.subscription?.stop()
    for (const to of ['next', 'earliest'] as const) await engine.seeking?.seek('c', 'g', { to })
    const next = await Witness.join(engine)
    await until(() => next.owned.size === 4 && next.ids.length === 2, 'all ranges and what was settled')
    expect(['0', '1', '2', '3'].map((range) => namesOf(next.notes.get(range)))).toEqual([[], [], ['b'], ['c']])
    expect(next.ids.toSorted()).toEqual(['1', '2'])
  })
})
