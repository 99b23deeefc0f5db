import { silentLog } from 'posthaste/pipeline'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Connection } from './connection.ts'
import type { Link } from './link.ts'
import { Session } from './session.ts'
import { Packer, Unpacker } from './wire.ts'

const sessionMs = 30_000
const reconnectMs = 10_000

/** A session whose server answers what `answers` says, and else that all is well and nothing is due. */
function sessionOn(answers: Record<string, Buffer> = {}) {
  const clock = manualClock()
  const late = { byMs: 0 }
  const lost: string[] = []
  const calls: string[] = []
  const well = new Packer().array(2).number(-1).array(0).take()
  const run = async (operation: string) => {
    calls.push(operation)
    return new Unpacker(answers[operation] ?? well)
  }
  const link = { id: '7', isOpen: true, command: async () => 'id=7 name=a' } as unknown as Link
  const connection = { link, isUp: true, call: async (operation: string) => ({ reply: await run(operation) }) }
  const session = new Session({
    ...{ sessionMs, reconnectMs, connection: connection as unknown as Connection },
    host: {
      ...{ instance: 'test', log: silentLog, random: () => 0.5, onState: () => {} },
      clock: { ...clock, monotonicMs: () => clock.monotonicMs() + late.byMs },
    },
    lost: (reason) => lost.push(reason.code),
    rejoin: async () => {},
  })
  return { session, clock, late, lost, calls, answers, resume: () => session.resume(run, link) }
}

describe('a session', () => {
  it('shows several signs of life in the time that it would have to come back in', async () => {
    const { clock, calls, resume } = sessionOn()
    await resume()
    await clock.advance(reconnectMs)
    expect(calls).toEqual(['begin', ...Array.from({ length: 5 }, () => 'beat')])
  })

  it('lets go when its connection was away for as long as others wait', async () => {
    const { session, clock, lost, resume } = sessionOn()
    await resume()
    session.disconnected()
    await clock.advance(reconnectMs - 1)
    expect(lost).toEqual([])
    await clock.advance(1)
    expect(lost).toEqual(['DELIVERY_LOST'])
  })

  it('has time left to connect again after it was too busy to', async () => {
    const { session, clock, late, lost, resume } = sessionOn()
    await resume()
    session.disconnected()
    late.byMs = 3 * reconnectMs
    await clock.advance(reconnectMs / 2)
    expect(lost).toEqual([])
    session.returning()
    await resume()
    await clock.advance(10 * reconnectMs)
    expect(lost).toEqual([])
  })

  it('is given no more time by connections that do not last', async () => {
    const { session, clock, lost, resume } = sessionOn()
    await resume()
    session.disconnected()
    await clock.advance(reconnectMs - 1_000)
    session.returning()
    session.disconnected()
    await clock.advance(reconnectMs / 2)
    expect(lost).toEqual(['DELIVERY_LOST'])
  })

  it('begins anew when others have ended it, once it knows', async () => {
    const { clock, calls, lost, answers, resume } = sessionOn()
    await resume()
    answers.beat = new Packer().no().take()
    await clock.advance(reconnectMs / 5)
    expect(lost).toEqual(['DELIVERY_LOST'])
    expect(calls).toEqual(['begin', 'beat', 'begin'])
  })

  it('tells the server of those whose connection it has no more, and of nobody else', async () => {
    const quiet = new Packer().array(4).text('busy').text('7 500').text('dead').text('3 500').take()
    const { clock, calls, resume } = sessionOn({ begin: new Packer().array(2).number(-1).packed(quiet).take() })
    await resume()
    await clock.advance(0)
    expect(calls).toEqual(['begin', 'gone'])
  })
})
