import type { EventEmitter } from 'node:events'
import type { Clock } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import { fail, unknownClient } from './errors.ts'

/** How long the server may take to answer. */
export interface Patience {
  readonly clock: Clock
  readonly timeoutMs: number
}

/**
 * What is waited for, or a failure when that takes too long.
 * @throws UNAVAILABLE after `timeoutMs`
 */
export function within<T>({ clock, timeoutMs }: Patience, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(Math.max(0, timeoutMs), () =>
      reject(fail('UNAVAILABLE', `${what}: no answer within ${timeoutMs} ms`)),
    )
    work.then(resolve, reject).finally(() => timer.cancel())
  })
}

/**
 * Lets nobody wait for a channel for longer than `timeoutMs`: the server asks a queue for the answers to some questions, and
 * one without a leader has none. A channel that was asked in vain is given up, since it takes one question at a time. Closing
 * ends with the channel, too: where the connection is lost in between, the answer that the client waits for never comes.
 */
export function timely(channel: Channel, patience: Patience): Channel {
  const asking = channel as unknown as Asking
  const { _invoke: invoke } = asking
  if (typeof invoke !== 'function') throw unknownClient('asks questions otherwise')
  let isAsked = true
  asking._invoke = (...question) =>
    within(patience, 'the server', invoke.call(channel, ...question)).catch((thrown) => {
      if (channel.active && (thrown as { code?: unknown }).code === 'UNAVAILABLE') giveUp()
      throw thrown
    })
  const close = channel.close.bind(channel)
  const giveUp = (): void => {
    isAsked = false
    // Ends it where the answer comes after all; until then what is delivered over it is unacknowledged.
    void close()
    asking.emit(givenUp)
  }
  channel.close = () => {
    if (!channel.active || !isAsked) return Promise.resolve()
    const gone = new Promise<void>((resolve) => onGone(channel, resolve))
    return within(patience, 'closing a channel', Promise.race([close(), gone])).catch(() => {})
  }
  return channel
}

/** Calls back once, when a channel is closed or given up. */
export function onGone(channel: Channel, callback: () => void): void {
  const emitter: EventEmitter = channel as unknown as EventEmitter
  const once = (): void => {
    emitter.off('close', once)
    emitter.off(givenUp, once)
    callback()
  }
  emitter.on('close', once)
  emitter.on(givenUp, once)
}

const givenUp = 'posthaste.given-up'

interface Asking {
  _invoke(...question: readonly unknown[]): Promise<unknown>
  emit(event: string): boolean
}
