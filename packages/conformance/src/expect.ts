import assert from 'node:assert/strict'
import type { Delivery, Outcome, OutgoingRecord } from '@posthaste/contracts'
import { type ErrorCode, PosthasteError } from '@posthaste/contracts'

/** What of a record must arrive as it was sent, beside its body. */
const essence = ({ id, key, headers, expiresAtMs }: OutgoingRecord) => ({
  id,
  key,
  headers,
  expiresAtMs,
})

/** Told by the first byte that differs: a difference of two large bodies takes minutes to print. */
function expectSameBodies(got: readonly OutgoingRecord[], wanted: readonly OutgoingRecord[]): void {
  for (const [at, { id, body }] of wanted.entries()) {
    const other = got[at]?.body
    if (other === undefined || got[at]?.id !== id) continue
    assert.equal(other.length, body.length, `the body of ${id} has another length`)
    // Large ones byte by byte would hold up whatever else goes on in this process: leases end meanwhile.
    if (Buffer.compare(body, other) === 0) continue
    const different = body.findIndex((byte, place) => byte !== other[place])
    assert.equal(different, -1, `the body of ${id} differs from byte ${different} on`)
  }
}

const ids = (records: readonly OutgoingRecord[]) => records.map(({ id }) => id)

const recordsOf = (deliveries: readonly Delivery[]) => deliveries.map(({ record }) => record)

/** These records, once each, in this order, unchanged. */
export function expectSame(received: readonly Delivery[], sent: readonly OutgoingRecord[]): void {
  assert.deepEqual(ids(recordsOf(received)), ids(sent))
  expectSameBodies(recordsOf(received), sent)
  assert.deepEqual(recordsOf(received).map(essence), sent.map(essence))
}

/** These records, once each, in whatever order, unchanged. */
export function expectSameSet(received: readonly Delivery[], sent: readonly OutgoingRecord[]): void {
  const byId = (a: OutgoingRecord, b: OutgoingRecord) => (a.id < b.id ? -1 : 1)
  const [got, wanted] = [recordsOf(received).sort(byId), [...sent].sort(byId)]
  assert.deepEqual(differenceOf(ids(got), ids(wanted)), { missing: [], unexpected: [], repeated: [] })
  expectSameBodies(got, wanted)
  assert.deepEqual(got.map(essence), wanted.map(essence))
}

/** All of these records at least once, and no others. */
export function expectAtLeast(received: readonly Delivery[], sent: readonly OutgoingRecord[]): void {
  const { missing, unexpected } = differenceOf(ids(recordsOf(received)), ids(sent))
  assert.deepEqual({ missing, unexpected }, { missing: [], unexpected: [] })
}

/** Each key's records come in the order they were sent. */
export function expectKeyOrder(received: readonly Delivery[], sent: readonly OutgoingRecord[]): void {
  const idsByKey = (records: readonly OutgoingRecord[]) => {
    const byKey = new Map<string, string[]>()
    for (const { key, id } of records) if (key !== undefined) byKey.set(key, [...(byKey.get(key) ?? []), id])
    return byKey
  }
  assert.deepEqual(idsByKey(recordsOf(received)), idsByKey(sent))
}

function differenceOf(got: readonly string[], wanted: readonly string[]) {
  const [has, wants] = [new Set(got), new Set(wanted)]
  return {
    missing: wanted.filter((id) => !has.has(id)),
    unexpected: got.filter((id) => !wants.has(id)),
    repeated: got.filter((id, at) => got[at - 1] === id),
  }
}

/** The outcome is a failure with this code. */
export function expectRefused(outcome: Outcome | undefined, code: ErrorCode): void {
  assert.ok(outcome !== undefined && !outcome.ok, `expected ${code}, but it went well`)
  assert.ok(PosthasteError.is(outcome.error), 'the error of an outcome is a PosthasteError')
  assert.equal(outcome.error.code, code, outcome.error.message)
}

/** The call rejects, and does not throw, with a `PosthasteError` of this code. */
export async function expectRejection(call: () => Promise<unknown>, code: ErrorCode): Promise<void> {
  let promise: Promise<unknown>
  try {
    promise = call()
  } catch (thrown) {
    assert.fail(`the call threw instead of rejecting: ${String(thrown)}`)
  }
  const thrown = await promise.then(
    () => assert.fail(`expected ${code}, but it went well`),
    (reason: unknown) => reason,
  )
  if (thrown instanceof assert.AssertionError) throw thrown
  assert.ok(PosthasteError.is(thrown), `rejects with a PosthasteError, not with ${String(thrown)}`)
  assert.equal(thrown.code, code, thrown.message)
}
