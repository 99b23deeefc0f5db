import {
  type CalledMethod,
  type ClientTransport,
  isStream,
  type MaybePromise,
  type OutgoingCall,
  PosthasteError,
  type ServedMethod,
} from '@posthaste/contracts'
import type { ItemStream } from './streams/item-stream.ts'
import { targetOf } from './target.ts'

/**
 * Carries calls to methods that are served in the same process: through the whole serving stack, so with validation,
 * deadline and cancellation, but without bytes. Inputs and outputs pass by reference. Nobody may change a value after it
 * was passed or returned, which is what one gets used to anyway before the callee moves to another process.
 *
 * @param find looks a served method up by target, at each call: services may be served after their clients were made
 */
export function localTransport(find: (target: string) => ServedMethod | undefined): ClientTransport {
  return {
    name: 'local',
    streams: true,
    call(method: CalledMethod, outgoing: OutgoingCall): MaybePromise<unknown> {
      const target = targetOf(method.service, method.method)
      const served = find(target)
      if (served === undefined) {
        throw new PosthasteError('UNIMPLEMENTED', `nobody serves '${target}' in this process`, {
          remedy: 'Serve it here, or give the client a transport to where it is served.',
        })
      }
      const running = served.dispatch(outgoing)
      const isInputStream = isStream(method.contract.input)
      const leave = outgoing.cancellation.onCancel((reason) =>
        running.cancel(isInputStream ? tellable(reason) : reason),
      )
      // Taken back with the answer or a stream's end, or a long-lived caller would collect a listener per call.
      if (isStream(method.contract.output))
        running.result.then((stream) => (stream as ItemStream).ended.then(leave), leave)
      else running.result.then(leave, leave)
      return running.result
    },
    async close() {},
  }
}

/** What stops a caller's input is the caller's affair: the callee learns, as it would from afar, that the call was given up. */
function tellable(reason: PosthasteError): PosthasteError {
  if (reason.code === 'CANCELLED' || reason.code === 'DEADLINE_EXCEEDED') return reason
  return new PosthasteError('CANCELLED', 'the caller gave the call up', { cause: reason })
}
