import type { Browsing } from '@posthaste/contracts'
import { event, reject } from 'posthaste'
import { createBus } from 'posthaste/bus'
import { silentLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Rig, rig, without } from '../../../test/rig.ts'
import { channelNameOf, placeIn } from './place.ts'

const Noted = event('facts.noted', { data: z.object({ n: z.number() }), key: ({ n }) => `k${n}` })

/** Has groups of the rig's engine handle so many messages, all of which they reject. @returns what they saw */
async function handled(of: Rig, groups: readonly string[], { count = 0, rejects = true } = {}): Promise<string[]> {
  const seen: string[] = []
  await of.with(async (engine) => {
    const bus = createBus({ name: 'test', engine, clock: of.clock, log: silentLog, instance: 'test' })
    for (const group of groups) {
      bus.on(Noted, { group, from: 'earliest' }, ({ n }) => {
        seen.push(`${group} ${n}`)
        if (rejects) throw reject(`not ${n}`)
      })
    }
    await bus.start()
    for (let n = 1; n <= count; n += 1) await bus.publish(Noted, { n }, { id: `m${n}` })
    for (let turn = 0; turn < 20; turn += 1) await of.clock.advance(1)
    await bus.close()
  })
  return seen
}

async function withLetters(groups: readonly string[] = ['points'], count = 3): Promise<Rig> {
  const of = rig()
  await handled(of, groups, { count })
  return of
}

describe('the place of dead letters', () => {
  it.each([
    ['posthaste.dead.points.shop.order', { channel: 'shop.order', group: 'points', target: undefined }],
    ['posthaste.deadto.fraud.points.shop.order', { channel: 'shop.order', group: 'points', target: 'fraud' }],
  ])('%s is read and written alike', (name, place) => {
    expect(placeIn(name)).toEqual(place)
    expect(channelNameOf(place)).toBe(name)
  })

  it('is not every channel', () => {
    expect(['shop.dead.a.b', 'posthaste.replies.x', 'posthaste.dead.a'].map(placeIn)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('dlq list', () => {
  it('counts what lies where', async () => {
    const cli = await withLetters(['points', 'audit'])
    expect((await cli.run(['dlq', 'list'])).out).toBe(
      'channel      group   target  letters\nfacts.noted  audit                 3\nfacts.noted  points                3\n',
    )
    expect((await rig().run(['dlq', 'list'])).out).toBe('there are no dead letters\n')
    expect(await rig().run(['dlq', 'list', '--group', 'x'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--group need a channel'),
    })
  })

  it('counts one place after the other: a page of each at once may be more than a broker sends to one client', async () => {
    let [looking, most] = [0, 0]
    const cli = rig((engine) => {
      const { browsing } = engine
      const browse: Browsing['browse'] = async (query) => {
        most = Math.max(most, ++looking)
        return browsing!.browse(query).finally(() => looking--)
      }
      return Object.assign(without(engine), { browsing: { ...browsing!, browse } })
    })
    await handled(cli, ['points', 'audit'], { count: 3 })
    expect((await cli.run(['dlq', 'list'])).out).toMatch(/audit .* 3\n.*points .* 3\n$/)
    expect(most).toBe(1)
  })

  it('lists those of the one group there is, page by page', async () => {
    const cli = await withLetters()
    const { out, err } = await cli.run(['dlq', 'list', 'facts.noted', '-n', '2'])
    expect(out).toMatch(/^id {2}given up .*\nm1 .*HANDLER_REJECTED +1 {2}k1 +not 1\nm2 .*\n$/)
    const [, next = ''] = /--after (\S+)/.exec(err) ?? []
    const rest = JSON.parse((await cli.run(['dlq', 'list', 'facts.noted', '--after', next, '--json'])).out) as object
    expect(rest).toMatchObject({
      ...{ channel: 'facts.noted', group: 'points', next: null },
      letters: [{ id: 'm3', key: 'k3', code: 'HANDLER_REJECTED', attempts: 1, data: { n: 3 } }],
    })
  })

  it('has the group named where there are several, and takes it on trust where nobody can tell', async () => {
    const cli = await withLetters(['points', 'audit'])
    const { code, err } = await cli.run(['dlq', 'list', 'facts.noted'])
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('several groups: audit, points') })
    expect((await cli.run(['dlq', 'list', 'facts.noted', '-g', 'audit'])).out).toContain('m1')
    expect((await cli.run(['dlq', 'list', 'nothing'])).code).toBe(3)
    const unlisted = rig((engine) => without(engine, 'listing'))
    expect(await unlisted.run(['dlq', 'list', 'nothing'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('of handler'),
    })
    expect(await unlisted.run(['dlq', 'list'])).toMatchObject({ code: 6 })
  })
})

describe('dlq show', () => {
  it('shows all of a letter, by its id or its position', async () => {
    const cli = await withLetters()
    const { out } = await cli.run(['dlq', 'show', 'facts.noted', 'm2'])
    expect(out).toMatch(/^id +m2\nkey +k2\nposition .*code +HANDLER_REJECTED\nreason +not 2\n.*data +\{"n":2\}\n$/s)
    const [{ position }] = JSON.parse((await cli.run(['dlq', 'show', 'facts.noted', 'm2', '--json'])).out) as [
      { position: string },
    ]
    expect((await cli.run(['dlq', 'show', 'facts.noted', position])).out).toBe(out)
    expect((await cli.run(['dlq', 'show', 'facts.noted', 'm9'])).code).toBe(3)
  })
})

describe('dlq redrive', () => {
  it('gives letters back to their group once a person has said yes', async () => {
    const cli = await withLetters()
    const { code, out } = await cli.run(['dlq', 'redrive', 'facts.noted', '--all'], { answer: 'y' })
    expect(cli.asked).toEqual(['Give 3 dead letters of points of facts.noted back to the group? [y/N] '])
    expect({ code, out }).toEqual({ code: 0, out: '3 dead letters of points of facts.noted went back\n' })
    expect(await handled(cli, ['points'], { rejects: false })).toEqual(['points 1', 'points 2', 'points 3'])
    expect((await cli.run(['dlq', 'list'])).out).toBe('there are no dead letters\n')
  })

  it('changes nothing where the answer is no, or where nobody can be asked', async () => {
    const cli = await withLetters()
    expect(await cli.run(['dlq', 'redrive', 'facts.noted', '--all'], { answer: '' })).toMatchObject({
      code: 1,
      err: expect.stringContaining('[CANCELLED]'),
    })
    expect(await cli.run(['dlq', 'redrive', 'facts.noted', '--all'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--yes'),
    })
    expect((await cli.run(['dlq', 'list'])).out).toContain('3\n')
  })

  it('asks nothing for a dry run, or with --yes, and moves what is chosen', async () => {
    const cli = await withLetters()
    const redrive = async (...words: string[]) =>
      (await cli.run(['dlq', 'redrive', 'facts.noted', '--json', ...words])).out
    expect(JSON.parse(await redrive('--all', '--dry-run'))).toMatchObject({ moved: 3, dryRun: true })
    expect(JSON.parse(await redrive('m1', '--yes'))).toMatchObject({ moved: 1, end: 'complete' })
    expect(JSON.parse(await redrive('--key', 'k2', '--yes'))).toMatchObject({ moved: 1 })
    expect(JSON.parse(await redrive('--all', '--yes'))).toMatchObject({ moved: 1, failed: [] })
    expect(cli.asked).toEqual([])
  })

  it('tells what is not there, with 3 where nothing was', async () => {
    const cli = await withLetters()
    expect(await cli.run(['dlq', 'redrive', 'facts.noted', 'm9', '--yes'])).toMatchObject({
      code: 3,
      err: expect.stringContaining('no dead letter m9'),
    })
    expect(await cli.run(['dlq', 'redrive', 'facts.noted', 'm1', 'm9', '--yes'])).toMatchObject({
      code: 1,
      out: expect.stringContaining('1 dead letter'),
    })
  })

  it('needs to be told which, in one way', async () => {
    const cli = await withLetters()
    expect(await cli.run(['dlq', 'redrive', 'facts.noted'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('does not say which'),
    })
    expect(await cli.run(['dlq', 'redrive', 'facts.noted', 'm1', '--all'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('several ways'),
    })
  })
})

describe('dlq discard', () => {
  it('removes letters for good', async () => {
    const cli = await withLetters()
    const { out } = await cli.run(['dlq', 'discard', 'facts.noted', '--code', 'HANDLER_REJECTED'], { answer: 'yes' })
    expect(cli.asked[0]).toContain('Remove 3 dead letters of points of facts.noted for good?')
    expect(out).toBe('3 dead letters of points of facts.noted are gone\n')
    expect(await handled(cli, ['points'], { rejects: false })).toEqual([])
  })
})
