import { expectTypeOf } from 'vitest'
import type { Call } from './call.ts'
import { type ErrorCode, isErrorCode } from './codes.ts'
import type { Delivery, Settlement } from './engine.ts'
import { type CloudEvent, validateEnvelope } from './envelope.ts'
import { PosthasteError } from './error.ts'
import type { Filter, Service } from './filter.ts'
import type { Outcome } from './record.ts'
import type { Verdict } from './verdict.ts'

// Checked by the compiler, never run.

// ── One filter, both halves ─────────────────────────────────────────────────────────────────────────────────────────

const filter: Filter = { role: 'nothing', apply: (call, next) => next(call), describe: () => ({ role: 'nothing' }) }
declare const request: Call<{ productId: number }>
declare const transport: Service<{ productId: number }, { available: number }>
declare const message: Call<{ orderNo: string }>
declare const handler: Service<{ orderNo: string }, void>
expectTypeOf(filter.apply(request, transport)).toEqualTypeOf<ReturnType<typeof transport>>()
expectTypeOf(filter.apply(message, handler)).toEqualTypeOf<ReturnType<typeof handler>>()
// @ts-expect-error the service handles another payload
void filter.apply(message, transport)
// @ts-expect-error calls do not change
request.attempt = 2
expectTypeOf(request.withPayload('text')).toEqualTypeOf<Call<string>>()

// ── Errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// @ts-expect-error the list of codes is closed
new PosthasteError('ORDER_UNKNOWN', 'x')
expectTypeOf(new PosthasteError('CONFLICT', 'x').verdict).toEqualTypeOf<Verdict>()
declare const thrown: unknown
if (PosthasteError.is(thrown, 'CONFLICT')) expectTypeOf(thrown).toEqualTypeOf<PosthasteError>()
declare const received: string
if (isErrorCode(received)) expectTypeOf(received).toExtend<ErrorCode>()

// ── Engines ─────────────────────────────────────────────────────────────────────────────────────────────────────────

declare const outcome: Outcome
if (outcome.ok) {
  // @ts-expect-error what went well has no error
  outcome.error
} else expectTypeOf(outcome.error).toEqualTypeOf<PosthasteError>()

export const settlements: readonly Settlement[] = [
  { kind: 'ack', tag: 1 },
  { kind: 'ack', tag: 2, publish: [] },
  { kind: 'release', tag: 3, countsAttempt: false },
  { kind: 'release', tag: 4, countsAttempt: true, visibleAtMs: 5, holdKey: true },
  // @ts-expect-error whether an attempt counts is never a default
  { kind: 'release', tag: 5 },
  // @ts-expect-error a release publishes nothing
  { kind: 'release', tag: 6, countsAttempt: true, publish: [] },
  // @ts-expect-error a dead letter is an ack that publishes it
  { kind: 'dead-letter', tag: 7 },
]
declare const delivery: Delivery
// @ts-expect-error deliveries do not change
delivery.attempt = 2

// ── Envelopes ───────────────────────────────────────────────────────────────────────────────────────────────────────

expectTypeOf(validateEnvelope(thrown)).toEqualTypeOf<CloudEvent>()
declare const event: CloudEvent<{ orderNo: string }>
expectTypeOf(event.data).toEqualTypeOf<{ orderNo: string } | undefined>()
expectTypeOf(event.partitionkey).toEqualTypeOf<string | undefined>()
expectTypeOf(event.somebodyelse).toEqualTypeOf<unknown>()
// @ts-expect-error only version 1.0
export const old: CloudEvent = { specversion: '0.3', id: '1', source: '/a', type: 'b' }
