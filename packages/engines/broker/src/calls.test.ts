import { describe, expect, it } from 'vitest'
import { StubPresence } from '../test/stub-presence.ts'
import { asking } from './calls.ts'

describe('A call', () => {
  it('that is not answered in time is given up, so that the broker need not make it', async () => {
    const stub = new StubPresence()
    const ask = asking(() => stub.presence, 1_000)
    const asked = ask('prepare', { checkAtMs: null })
    asked.catch(() => {})
    await stub.host.clock.advance(999)
    expect(stub.streams[0]!.done).toEqual([])
    await stub.host.clock.advance(1)
    expect(stub.streams[0]!.done).toEqual(['fail DEADLINE_EXCEEDED'])
    await stub.host.clock.advance(1_000)
    await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(stub.streams).toHaveLength(1)
  })
})
