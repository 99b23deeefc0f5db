import type { Engine, OutgoingRecord } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { lessCapable, type Rig, rig, without } from '../../../test/rig.ts'

const record = (id: string, more: Partial<OutgoingRecord> = {}): OutgoingRecord => {
  return { id, channel: 'facts', headers: { type: 'facts' }, body: Buffer.from(`"${id}"`), ...more }
}

async function seeded(of: Rig, kind: 'log' | 'queue' = 'log'): Promise<void> {
  await of.with(async (engine) => {
    const retention = kind === 'log' ? { forMs: 1e9 } : undefined
    const group = { channel: 'facts', group: 'own', from: 'earliest' } as const
    await engine.declare({ channels: [{ name: 'facts', kind, keyed: false, retention }], groups: [group] })
    await engine.publish([record('m1', { key: 'a' }), record('m2', { key: 'b' }), record('m3', { key: 'a' })])
  })
}

/** Publishes once somebody follows, as tail says when it does. */
function publishing(of: { engine?: Engine }, records: readonly OutgoingRecord[]) {
  return (text: string): void => {
    if (/^(following|looking)/.test(text)) void of.engine?.publish(records)
  }
}

/** A rig whose engine can be reached while a command runs on it. */
function opened(change: (engine: Engine) => Engine = (engine) => engine) {
  const of: { engine?: Engine } = {}
  const cli = rig((engine) => {
    of.engine = engine
    return change(engine)
  })
  return { cli, of }
}

const ids = (out: string): unknown[] =>
  out
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: unknown }).id)

describe('tail', () => {
  it('shows all that is there, and ends where it is told to', async () => {
    const cli = rig()
    await seeded(cli)
    const { code, out, err } = await cli.run(['tail', 'facts', '--no-follow', '--json'])
    expect({ code, err, ids: ids(out) }).toEqual({ code: 0, err: '', ids: ['m1', 'm2', 'm3'] })
    const people = await cli.run(['tail', 'facts', '--no-follow', '-n', '1'])
    expect(people.out).toMatch(/^\S+Z {2}m1 {2}a {2}"m1"\n$/)
  })

  it('shows only what is asked for', async () => {
    const cli = rig()
    await seeded(cli)
    const shown = async (...words: string[]) =>
      ids((await cli.run(['tail', 'facts', '--no-follow', '--json', ...words])).out)
    expect(await shown('--key', 'a')).toEqual(['m1', 'm3'])
    expect(await shown('--id', 'm2')).toEqual(['m2'])
    expect(await shown('--correlation', 'm3')).toEqual(['m3'])
  })

  it('follows a log as a group that is gone afterwards, and takes nothing from others', async () => {
    const { cli, of } = opened()
    await seeded(cli)
    const onText = publishing(of, [record('m4'), record('m5')])
    const { code, out, err } = await cli.run(['tail', 'facts', '-n', '2', '--json'], { onText })
    expect({ code, ids: ids(out) }).toEqual({ code: 0, ids: ['m4', 'm5'] })
    expect(err).toMatch(/^following facts as the group posthaste-cli-\w+, which goes with this command\n$/)
    await cli.with(async (engine) => {
      expect(await engine.listing!.groups('facts')).toMatchObject([{ group: 'own' }])
      expect(await engine.lag!.lag('facts', 'own')).toMatchObject({ ready: 5 })
    })
  })

  it('follows from the earliest on', async () => {
    const { cli, of } = opened()
    await seeded(cli)
    const onText = publishing(of, [record('m4')])
    const { out } = await cli.run(['tail', 'facts', '--from', 'earliest', '-n', '4', '--json'], { onText })
    expect(ids(out)).toEqual(['m1', 'm2', 'm3', 'm4'])
  })

  it('looks into a queue, whose work it leaves alone', async () => {
    const { cli } = opened()
    await seeded(cli, 'queue')
    const { out, err } = await cli.run(['tail', 'facts', '--from', 'earliest', '-n', '3', '--json'])
    expect(ids(out)).toEqual(['m1', 'm2', 'm3'])
    expect(err).toContain('joining no group')
    await cli.with(async (engine) => expect(await engine.lag!.lag('facts', 'own')).toMatchObject({ ready: 3 }))
  })

  it('looks again and again where it joins no group, and shows nothing twice', async () => {
    const { cli, of } = opened()
    await seeded(cli)
    const seen: string[] = []
    const onText = (text: string): void => {
      if (text.startsWith('{')) seen.push(text)
      if (seen.length === 3) void of.engine?.publish([record('m4')])
    }
    const tail = cli.run(['tail', 'facts', '--browse', '--from', 'earliest', '-n', '4', '--json'], { onText })
    let ended = false
    void tail.then(() => {
      ended = true
    })
    while (!ended) await cli.clock.advance(50)
    expect(ids((await tail).out)).toEqual(['m1', 'm2', 'm3', 'm4'])
  })

  it.each(['following', 'looking'])('ends in order by Ctrl-C while it is %s', async (how) => {
    const { cli } = opened()
    await seeded(cli)
    const enough = new AbortController()
    const onText = (text: string): void => {
      if (text.startsWith(how)) enough.abort('SIGINT')
    }
    const words = ['tail', 'facts', ...(how === 'looking' ? ['--browse'] : [])]
    expect(await cli.run(words, { onText, signal: enough.signal })).toMatchObject({ code: 0, out: '' })
    await cli.with(async (engine) => expect(await engine.listing!.groups('facts')).toHaveLength(1))
  })

  it('says what does not exist, and what the engine cannot', async () => {
    const { code, err } = await rig().run(['tail', 'nothing'])
    expect({ code, err }).toEqual({ code: 3, err: expect.stringMatching(/^\[NOT_FOUND\]/) })
    const { cli } = opened((engine) => without(engine, 'browsing'))
    await seeded(cli)
    expect(await cli.run(['tail', 'facts', '--browse'])).toMatchObject({
      code: 6,
      err: expect.stringContaining('cannot look into channels'),
    })
  })

  it('says where the past is not kept', async () => {
    const cli = rig((engine) => lessCapable(engine, { history: 'none' }))
    await seeded(cli)
    expect((await cli.run(['tail', 'facts', '--no-follow'])).err).toContain('the engine memory keeps no history')
  })

  it('understands places to begin at, and no others', async () => {
    const { code, err } = await rig().run(['tail', 'facts', '--from', 'yesterday'])
    expect(code).toBe(2)
    expect(err).toContain('or must be next or earliest')
  })
})
