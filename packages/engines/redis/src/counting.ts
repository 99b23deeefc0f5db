import type { LagReading, Scheduling } from '@posthaste/contracts'
import { undeclared } from './errors.ts'
import type { ServerTime } from './server-time.ts'
import type { Run } from './session.ts'
import { Packer } from './wire.ts'

/** How far groups are behind. Exact up to 500 records that a group has not read yet, counted by the server's totals above. */
export function lagReading(run: Run): LagReading {
  return {
    async lag(channel, group) {
      const reply = await run('lag', new Packer().array(2).text(channel).text(group).take())
      if (reply.isNo()) throw undeclared(`channel ${channel}`)
      if (!reply.isArray()) throw undeclared(`group ${group} of ${channel}`)
      reply.array()
      return { ready: reply.number(), waiting: reply.number(), inFlight: reply.number() }
    },
  }
}

/** Taking back what is scheduled. */
export function scheduling(run: Run, time: ServerTime): Scheduling {
  return {
    async cancel(channel, id) {
      const reply = await run('cancel', new Packer().array(2).text(channel).text(id).take())
      if (reply.isNo()) throw undeclared(`channel ${channel}`)
      return reply.number() === 1
    },
    async dueAt(channel, id) {
      const reply = await run('dueAt', new Packer().array(2).text(channel).text(id).take())
      if (reply.isNo()) throw undeclared(`channel ${channel}`)
      const dueAtMs = reply.number()
      return dueAtMs < 0 ? undefined : time.atHome(dueAtMs)
    },
  }
}
