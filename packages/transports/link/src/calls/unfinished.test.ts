import {
  type IncomingCall,
  PosthasteError,
  type RunningCall,
  type ServedMethod,
  service,
  stream,
} from '@posthaste/contracts'
import { recordingLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { settled } from '../../test/pipes.ts'
import { type IncomingStream, type LinkStream, lastMessage } from '../connection/types.ts'
import { endpointsOf } from './endpoint.ts'
import { acceptorOf } from './serving.ts'

const Work = service('shop.Work', {
  one: { input: z.any(), output: z.any() },
  give: { input: z.any(), output: stream(z.any()) },
})

const peer = { user: undefined, address: '', compressAboveBytes: Number.POSITIVE_INFINITY }

/** A call that came in over a stream which writes down what is done to it, with a handler that ends when it is told to. */
async function begun(method: keyof typeof Work.methods) {
  const told: string[] = []
  const work = Promise.withResolvers<void>()
  const result = Promise.withResolvers<unknown>()
  let left: Promise<void> | undefined = work.promise
  const running: RunningCall = { result: result.promise, cancel: result.reject, unfinished: () => left }
  const dispatch = (_: IncomingCall): RunningCall => running
  const served: ServedMethod = { service: Work.name, method, contract: Work.methods[method], dispatch }
  const link: LinkStream = {
    id: 1,
    send: () => true,
    end: () => void told.push('end'),
    fail: ({ code }, worksOn) => void told.push(`${code}${worksOn === true ? ' works on' : ''}`),
    consumed() {},
  }
  const host = { log: recordingLog(), messageBytesMax: 1_000 }
  const endpoints = endpointsOf([served], [], host)
  const opening: IncomingStream = { method: `shop.Work/${method}`, metadata: {}, codec: 'application/json', peer }
  const sink = acceptorOf({ ...host, endpoints, builtIn: new Map(), authorize: undefined })(opening, link)
  sink.message(Buffer.from('{}'), lastMessage)
  await settled(2)
  const end = async (): Promise<void> => {
    left = undefined
    work.resolve()
    await settled(2)
  }
  return { sink, told, end, reject: result.reject, message: () => sink.message(Buffer.from('{}'), lastMessage) }
}

const methods = ['one', 'give'] as const

describe.each(methods)('The stream of a call (%s)', (method) => {
  it('that its caller gave up ends with the work for it', async () => {
    const { sink, told, end } = await begun(method)
    sink.failed(new PosthasteError('CANCELLED', 'gone'))
    await settled(2)
    expect(told).toEqual([])
    await end()
    expect(told).toEqual(['end'])
  })

  it('that fails before its work has ended says so, and ends with that', async () => {
    const { told, end, reject } = await begun(method)
    reject(new PosthasteError('DEADLINE_EXCEEDED', 'too late'))
    await settled(2)
    expect(told).toEqual(['DEADLINE_EXCEEDED works on'])
    await end()
    expect(told).toEqual(['DEADLINE_EXCEEDED works on', 'end'])
  })

  it('that fails with its work is over', async () => {
    const { told, end, reject } = await begun(method)
    await end()
    reject(new PosthasteError('CONFLICT', 'sold out'))
    await settled(2)
    expect(told).toEqual(['CONFLICT'])
  })

  it('that gets a message too many is over when its work has ended', async () => {
    const { told, end, message } = await begun(method)
    message()
    await settled(2)
    expect(told).toEqual(['INVALID_ARGUMENT works on'])
    await end()
    expect(told).toEqual(['INVALID_ARGUMENT works on', 'end'])
  })
})
