import { type CalledMethod, type ClientTransport, isStream, PosthasteError, type Service } from '@posthaste/contracts'
import { attempt } from '../../pipeline/maybe-promise.ts'
import type { ClientHost } from '../hosts.ts'
import { ItemStream, isStreamSource, notAStream } from './item-stream.ts'

/** The innermost service of a method with a stream: the transport, with what is left of the time. */
export function carryingStreams(
  method: CalledMethod,
  transport: ClientTransport,
  { clock }: Pick<ClientHost, 'clock'>,
): Service {
  const isOutputStream = isStream(method.contract.output)
  return (call) => {
    const over = `${call.target} over ${transport.name}`
    const failureOf = (thrown: unknown): PosthasteError => PosthasteError.from(thrown, 'INTERNAL', over)
    const leftMs = call.deadlineAtMs - clock.monotonicMs()
    const timeoutMs = leftMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, leftMs)
    const { headers, id, cancellation } = call
    const lent = call.payload instanceof ItemStream ? new LentInput(call.payload) : undefined
    const payload = lent ?? call.payload
    return attempt(
      () => transport.call(method, { payload, headers, timeoutMs, id, cancellation }),
      (answer): unknown => {
        if (!isOutputStream) return answer
        if (!isStreamSource(answer)) throw notAStream('INTERNAL', `the answer of ${over}`, answer)
        return new ItemStream(answer, { cancellation, failureOf })
      },
      (thrown) => {
        lent?.takeBack()
        throw failureOf(thrown)
      },
    )
  }
}

/**
 * The input of a call as one attempt has it: letting go of it before anything was taken leaves it to the next attempt. The
 * call itself lets go of its input when it ends.
 */
class LentInput implements AsyncIterableIterator<unknown, undefined> {
  readonly #input: ItemStream
  #lent = true

  constructor(input: ItemStream) {
    this.#input = input
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    return this.#lent ? this.#input.next() : { done: true, value: undefined }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    if (this.#lent && this.#input.begun) void this.#input.return()
    this.takeBack()
    return { done: true, value: undefined }
  }

  takeBack(): void {
    this.#lent = false
  }
}
