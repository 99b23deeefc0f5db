import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { StubPresence } from '../test/stub-presence.ts'
import { promised } from './features.ts'
import { packParcel, readParcel } from './protocol/calls.ts'
import { Publisher } from './publisher.ts'

const record = { id: '1', channel: 'c', headers: {}, body: new Uint8Array(1) }

describe('A publisher', () => {
  it('says that it begins afresh until the broker has heard it, so that no old outcome is taken for a new one', async () => {
    const stub = new StubPresence()
    const publisher = new Publisher(stub.presence, { timeoutMs: 1_000, capabilities: promised })
    const isAfresh = () =>
      stub.streams.map(({ beginning }) => (readParcel(beginning).head as { afresh: boolean }).afresh)
    stub.streams[0]!.sink.message(packParcel({ taken: 0 }), 0)
    const publishing = publisher.publish([record])
    stub.streams[0]!.sink.failed(new PosthasteError('BODY_MALFORMED', 'what is that'))
    expect(await publishing).toMatchObject([{ ok: false, error: { code: 'BODY_MALFORMED' } }])
    publisher.attached()
    stub.streams[1]!.sink.failed(new PosthasteError('UNAVAILABLE', 'lost on the way'))
    publisher.attached()
    stub.streams[2]!.sink.message(packParcel({ taken: 0 }), 0)
    publisher.attached()
    expect(isAfresh()).toEqual([false, true, true, false])
  })
})
