import type { Engine } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { rig, without } from '../../test/rig.ts'

describe('an engine that does not answer', () => {
  it.each([
    [true, 'the engine does not answer yet; Ctrl-C ends the waiting\n'],
    [false, ''],
  ])('is told of after two seconds at a terminal (%s), and nowhere else', async (isTerminal, told) => {
    const opening = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const slow = (engine: Engine): Engine => {
      const openNow = engine.open.bind(engine)
      const open: Engine['open'] = async (host) => {
        asked.resolve()
        await opening.promise
        return openNow(host)
      }
      return Object.assign(without(engine), { open })
    }
    const cli = rig(slow)
    const ended = cli.run(['channels'], { isTerminal })
    await asked.promise
    await cli.clock.advance(2_000)
    opening.resolve()
    expect(await ended).toEqual({ code: 0, out: 'there are no channels\n', err: told })
  })
})
