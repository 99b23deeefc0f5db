import { type Engine, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { rig, without } from '../../test/rig.ts'

/** A broker that answers so when it is asked for a copy. */
function brokerThat(snapshot: (name: string) => Promise<string>): (engine: Engine) => Engine {
  return (engine) => Object.assign(Object.create(without(engine)) as Engine, { name: 'broker', snapshot })
}

const env = { POSTHASTE_ENGINE: 'link://shop.example:7420' }

describe('a snapshot', () => {
  it('of a broker is where the broker says, on its machine', async () => {
    const cli = rig(brokerThat(async (name) => `/var/copies/${name}`))
    const { code, out } = await cli.run(['snapshot', 'monday'], { env })
    expect({ code, out }).toEqual({
      code: 0,
      out: 'the copy is in /var/copies/monday on shop.example, the machine of the broker\n',
    })
  })

  it('of a broker that is reached by a Unix socket is on this machine', async () => {
    const cli = rig(brokerThat(async (name) => `/var/copies/${name}`))
    const { out } = await cli.run(['snapshot', 'monday'], { env: { POSTHASTE_ENGINE: 'link+unix:///run/it.sock' } })
    expect(out).toBe('the copy is in /var/copies/monday on this machine\n')
  })

  it.each(['./monday', '/backup/monday', 'C:\\monday'])(
    'of a broker has a name, and is not asked for by %s',
    async (path) => {
      const asked: string[] = []
      const cli = rig(brokerThat(async (name) => `${asked.push(name)}`))
      const { code, err } = await cli.run(['snapshot', path], { env })
      expect({ code, asked }).toEqual({ code: 2, asked: [] })
      expect(err).toContain(`'${path}' is a path\nGive the copy a name`)
    },
  )

  it('that a broker takes longer for is not taken for one that failed', async () => {
    const late = new PosthasteError('DEADLINE_EXCEEDED', 'no answer')
    const { code, err } = await rig(brokerThat(() => Promise.reject(late))).run(['snapshot', 'monday'], { env })
    expect(code).toBe(4)
    expect(err).toMatch(/may still be copying\nDo not ask again at once; .*'monday'/)
  })

  it('is refused where the engine has none, with what to do instead', async () => {
    const { code, err } = await rig().run(['snapshot', 'monday'])
    expect({ code, err }).toEqual({ code: 6, err: expect.stringContaining('Use the backup of the server') })
  })
})
