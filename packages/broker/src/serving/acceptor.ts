import { callNames, methodOf, type Parcel, readParcel, sessionHeader, streams } from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import { type LinkStream, lastMessage, type StreamAcceptor, type StreamSink } from '@posthaste/link/connection'
import type { Grants } from '../access/grants.ts'
import type { Asked } from './asked.ts'
import { type Answering, answering } from './calls.ts'
import { publishing } from './publishing.ts'
import type { Sessions } from './sessions.ts'
import { subscribing } from './subscribing.ts'
import type { Surroundings } from './surroundings.ts'
import { watching } from './watching.ts'

const calls: ReadonlyMap<string, Answering> = new Map(callNames.map((name) => [methodOf(name), answering[name]]))

/** Hands each stream to whoever serves its method. */
export function acceptor(sessions: Sessions, around: Surroundings): StreamAcceptor {
  return ({ method, metadata, peer }, stream) => {
    const grants = peer.grants as Grants
    const session = () => sessions.find(metadata[sessionHeader], grants)
    const find = (id: string) => sessions.find(id, grants)
    if (method === streams.publish) return publishing(find, stream)
    if (method === streams.subscribe) return subscribing(find, stream, around)
    if (method === streams.session) return sessions.accept(grants, stream)
    if (method === streams.watch) return watching(session(), stream, around)
    const call = calls.get(method)
    if (call === undefined) throw new PosthasteError('UNIMPLEMENTED', `the broker has no method ${method}`)
    return unary(call, stream, { grants, session, around })
  }
}

function unary(call: Answering, stream: LinkStream, asked: Asked): StreamSink {
  const givenUp = new AbortController()
  const answer = async (parcel: Parcel): Promise<void> => {
    stream.send(await call(parcel, asked), lastMessage)
  }
  const run = async (body: Uint8Array): Promise<void> => {
    const parcel = readParcel(body)
    const records = parcel.records.length
    if (records === 0) return answer(parcel)
    const done = await asked.grants.quota.turn({ records, bytes: body.byteLength }, givenUp.signal)
    if (done === undefined) return stream.end()
    try {
      await answer(parcel)
    } finally {
      done()
    }
  }
  let isAsked = false
  return {
    // Calls that wait for their turn hold up the connection before they fill the memory.
    holdsCredit: true,
    message(body) {
      if (isAsked) return
      isAsked = true
      run(body).catch((thrown: unknown) => stream.fail(PosthasteError.from(thrown, 'INTERNAL', 'the broker')))
    },
    ended() {
      if (!isAsked) stream.fail(new PosthasteError('BODY_MALFORMED', 'nothing was asked'))
    },
    failed() {
      givenUp.abort()
      if (!isAsked) stream.end()
    },
    writable() {},
  }
}
