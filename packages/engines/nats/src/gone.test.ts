import type { NatsConnection } from '@nats-io/nats-core'
import { describe, expect, it } from 'vitest'
import { acknowledgeGone } from './gone.ts'
import type { Link } from './link.ts'
import type { Command } from './pipeline.ts'

/** A server whose consumer has settled what is below `floor` and was handed what is up to `delivered`. */
function serverWith(state: { readonly floor: number; readonly delivered: number; readonly deleted?: number[] }) {
  const told: string[] = []
  const manager = {
    consumers: {
      info: async () => ({ ack_floor: { stream_seq: state.floor }, delivered: { stream_seq: state.delivered } }),
    },
    streams: { info: async () => ({ state: { deleted: state.deleted } }) },
  }
  const connection = { publish: (subject: string) => void told.push(subject) } as unknown as NatsConnection
  const acks = {
    send: (command: Command) => {
      command.send(connection, 'inbox')
      command.answered({} as never)
    },
  }
  const admin = async (_what: string, work: (each: unknown) => Promise<unknown>) => work(manager)
  return { link: { admin, acks } as unknown as Link, told }
}

const place = { stream: 's', consumer: 'g@0' }

describe('what a stream has lost and a consumer may wait for', () => {
  it('is acknowledged where the consumer was handed it and has not settled it', async () => {
    const { link, told } = serverWith({ floor: 3, delivered: 8, deleted: [2, 3, 4, 8, 9] })
    await acknowledgeGone(link, place)
    expect(told).toEqual(['$JS.ACK.s.g@0.1.4.1.0.0', '$JS.ACK.s.g@0.1.8.1.0.0'])
  })

  it('is nothing where nothing was removed', async () => {
    const { link, told } = serverWith({ floor: 3, delivered: 8 })
    await acknowledgeGone(link, place)
    expect(told).toEqual([])
  })
})
