import { type RunningServer, runningServer } from '@posthaste/conformance'
import type {
  Delivery,
  DeliverySink,
  EngineHost,
  EngineState,
  Note,
  OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { silentLog, systemClock } from 'posthaste/pipeline'

/** The running server, if there is one. */
export const server: RunningServer | undefined = runningServer('rabbitmq')

/** What to do where there is none; part of the names of tests that are skipped then. */
export const remedy = 'start it with: npm run engines -- up rabbitmq'

/** A host that remembers what it is told. */
export class TestHost implements EngineHost {
  readonly clock = systemClock
  readonly log = silentLog
  readonly instance = 'test'
  readonly states: EngineState[] = []
  readonly causes: (PosthasteError | undefined)[] = []
  readonly random = () => Math.random()

  onState(state: EngineState, cause?: PosthasteError): void {
    this.states.push(state)
    this.causes.push(cause)
  }
}

/** A member that remembers what it is given. */
export class TestSink implements DeliverySink {
  readonly received: Delivery[] = []
  readonly lostTags: number[] = []
  readonly assigned = new Map<string, readonly Note[]>()
  readonly recalled: string[] = []
  readonly revoked: string[] = []
  closedBy: PosthasteError | undefined
  readonly ranges = {
    assigned: (range: string, notes: readonly Note[]) => void this.assigned.set(range, notes),
    recalled: (range: string) => void this.recalled.push(range),
    revoked: (range: string) => {
      this.assigned.delete(range)
      this.revoked.push(range)
    },
  }

  deliver(batch: readonly Delivery[]): void {
    this.received.push(...batch)
  }

  lost(tags: readonly number[]): void {
    this.lostTags.push(...tags)
  }

  closed(cause: PosthasteError): void {
    this.closedBy = cause
  }
}

/** A record for a channel. */
export function recordOf(channel: string, id: string, more: Partial<OutgoingRecord> = {}): OutgoingRecord {
  const headers = { type: channel, source: '/test', datacontenttype: 'application/json' }
  return { id, channel, headers, body: Buffer.from(`{ "id": "${id}" }`), ...more }
}
