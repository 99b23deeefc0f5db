import type { Msg, NatsConnection } from '@nats-io/nats-core'
import type { PosthasteError } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { type Command, Pipeline } from './pipeline.ts'

/** A connection that keeps what is published, and lets a test answer. */
function fakeConnection() {
  const sent: { readonly subject: string; readonly reply: string }[] = []
  let listen: (error: Error | null, message: Msg) => void = () => {}
  const connection = {
    subscribe: (_subject: string, { callback }: { callback: typeof listen }) => {
      listen = callback
    },
    publish: (subject: string, _data: unknown, { reply }: { reply: string }) => sent.push({ subject, reply }),
  } as unknown as NatsConnection
  const answer = (at: number, code = 0) => {
    const message = { subject: sent[at]?.reply, data: new Uint8Array(code === 0 ? 1 : 0), headers: { code } }
    listen(null, message as unknown as Msg)
  }
  return { connection, sent, answer, subjects: () => sent.map(({ subject }) => subject) }
}

class Probe implements Command {
  readonly subject: string
  answers = 0
  error: PosthasteError | undefined

  constructor(subject: string) {
    this.subject = subject
  }

  send(connection: NatsConnection, reply: string): void {
    connection.publish(this.subject, undefined, { reply })
  }

  answered(): void {
    this.answers += 1
  }

  failed(error: PosthasteError): void {
    this.error = error
  }
}

function started(windowMax = 10) {
  const clock = manualClock()
  const pipeline = new Pipeline({ clock, timeoutMs: 1_000, windowMax })
  const fake = fakeConnection()
  const send = (...subjects: string[]) => {
    const probes = subjects.map((subject) => new Probe(subject))
    for (const probe of probes) pipeline.send(probe)
    return probes
  }
  return { clock, pipeline, ...fake, send }
}

describe('a pipeline', () => {
  it('sends at once, and matches answers that come in another order', () => {
    const { pipeline, connection, send, answer, subjects } = started()
    pipeline.attach(connection, 'i')
    const [a, b] = send('a', 'b')
    expect(subjects()).toEqual(['a', 'b'])
    answer(1)
    expect([a?.answers, b?.answers]).toEqual([0, 1])
    answer(0)
    answer(0)
    expect([a?.answers, b?.answers]).toEqual([1, 1])
  })

  it('has no more under way than its window, in order', () => {
    const { pipeline, connection, send, answer, subjects } = started(2)
    pipeline.attach(connection, 'i')
    send('a', 'b', 'c', 'd')
    expect(subjects()).toEqual(['a', 'b'])
    answer(1)
    expect(subjects()).toEqual(['a', 'b', 'c'])
  })

  it('sends what an outage has left without an answer again, before anything newer', () => {
    const { pipeline, connection, send, answer, subjects } = started()
    pipeline.attach(connection, 'i')
    send('a', 'b')
    answer(0)
    pipeline.suspend()
    send('c')
    expect(subjects()).toEqual(['a', 'b'])
    pipeline.resume(connection)
    expect(subjects()).toEqual(['a', 'b', 'b', 'c'])
  })

  it('tries again where nobody listens, and fails when the time is up', async () => {
    const { clock, pipeline, connection, send, answer, subjects } = started()
    pipeline.attach(connection, 'i')
    const [a] = send('a')
    answer(0, 503)
    expect(a?.answers).toBe(0)
    await clock.advance(100)
    expect(subjects()).toEqual(['a', 'a'])
    await clock.advance(900)
    expect(a?.error?.code).toBe('UNAVAILABLE')
  })

  it('fails what waits for a connection that does not come', async () => {
    const { clock, send } = started()
    const [a] = send('a')
    await clock.advance(600)
    const [b] = send('b')
    await clock.advance(400)
    expect([a?.error?.code, b?.error]).toEqual(['UNAVAILABLE', undefined])
    await clock.advance(600)
    expect(b?.error?.code).toBe('UNAVAILABLE')
    expect(clock.pending()).toBe(0)
  })

  it('is drained when everything has its answer', async () => {
    const { pipeline, connection, send, answer } = started()
    pipeline.attach(connection, 'i')
    await pipeline.drained()
    send('a')
    let isDrained = false
    const drained = pipeline.drained().then(() => {
      isDrained = true
    })
    await Promise.resolve()
    expect(isDrained).toBe(false)
    answer(0)
    await drained
  })
})
