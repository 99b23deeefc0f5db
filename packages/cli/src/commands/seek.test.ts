import { describe, expect, it } from 'vitest'
import { type Rig, rig, without } from '../../test/rig.ts'

async function seeded(of: Rig): Promise<Rig> {
  await of.with(async (engine) => {
    await engine.declare({
      channels: [{ name: 'facts', kind: 'log', keyed: false, retention: { forMs: 1e9 } }],
      groups: [{ channel: 'facts', group: 'points', from: 'next' }],
    })
    for (const id of ['1', '2', '3'])
      await engine.publish([{ id, channel: 'facts', headers: {}, body: new Uint8Array() }])
  })
  return of
}

const readyOf = (of: Rig): Promise<number> =>
  of.with(async (engine) => (await engine.lag!.lag('facts', 'points')).ready)

describe('seek', () => {
  it('moves a group once a person has said yes', async () => {
    const cli = await seeded(rig())
    const { code, out } = await cli.run(['seek', 'facts', 'points', '--to', 'latest'], { answer: 'y' })
    expect(cli.asked).toEqual(['Move points of facts to what comes next? [y/N] '])
    expect({ code, out }).toEqual({ code: 0, out: 'points of facts begins at what comes next\n' })
    expect(await readyOf(cli)).toBe(0)
    await cli.run(['seek', 'facts', 'points', '--to', 'earliest', '--yes'])
    expect(await readyOf(cli)).toBe(3)
  })

  it('moves it to a position that tail has shown, or to a time', async () => {
    const cli = await seeded(rig())
    const lines = (await cli.run(['tail', 'facts', '--no-follow', '--json'])).out.trim().split('\n')
    const { position } = JSON.parse(lines[1]!) as { position: string }
    await cli.run(['seek', 'facts', 'points', '--position', position, '--yes'])
    expect(await readyOf(cli)).toBe(2)
    const { out } = await cli.run(['seek', 'facts', 'points', '--at', '1970-01-01T00:00:00Z', '--yes', '--json'])
    expect(JSON.parse(out)).toEqual({ channel: 'facts', group: 'points', target: { atMs: 0 } })
    expect(await readyOf(cli)).toBe(3)
  })

  it('leaves it where the answer is no', async () => {
    const cli = await seeded(rig())
    expect((await cli.run(['seek', 'facts', 'points', '--to', 'latest'], { answer: 'n' })).code).toBe(1)
    expect(await readyOf(cli)).toBe(3)
  })

  it('says what is wrong: two places, none, no group, no position, an engine that cannot', async () => {
    const cli = await seeded(rig())
    const code = async (...words: string[]) => (await cli.run(['seek', ...words, '--yes'])).code
    expect(await code('facts', 'points')).toBe(2)
    expect(await code('facts', 'points', '--to', 'latest', '--at', '-1m')).toBe(2)
    expect(await code('facts', 'nobody', '--to', 'latest')).toBe(3)
    expect(await code('facts', 'points', '--position', 'nowhere')).toBe(2)
    const unable = rig((engine) => without(engine, 'seeking'))
    expect((await unable.run(['seek', 'facts', 'points', '--to', 'latest', '--yes'])).code).toBe(6)
  })
})
