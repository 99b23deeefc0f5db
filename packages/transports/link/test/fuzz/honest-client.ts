import { ClientConnection, type ClientOwner } from '../../src/client/client-connection.ts'
import { ClientStream } from '../../src/client/client-stream.ts'
import type { Carrier } from '../../src/connection/stream.ts'
import { lastMessage, type StreamSink } from '../../src/connection/types.ts'
import type { Random } from './random.ts'
import type { ServerTarget } from './server-target.ts'
import { Fault, OpenPipe, shareOf } from './world.ts'

/** Turns of the event loop in which a few calls in memory are done many times over. */
const turnsMax = 200

/**
 * Connects to a server that others have sent nonsense to, makes three calls and leaves.
 * @throws Fault where an answer is wrong or does not come
 */
export async function checkHonest(server: ServerTarget, random: Random): Promise<void> {
  const here = new OpenPipe((piece) => deliver(there, piece))
  const there: OpenPipe = new OpenPipe((piece) => deliver(here, piece))
  const answers: string[] = []
  const bodies = ['small', 'x'.repeat(5000), 'y'.repeat(30_000)]
  let gone = 0
  const owner: ClientOwner = {
    connected(connection) {
      for (const body of bodies) connection.open(streamOf(body, answers), 0)
    },
    leaving: () => undefined,
    moved: () => undefined,
    room: () => undefined,
    gone: () => gone++,
  }
  server.connect(there, random)
  const client = new ClientConnection(here, undefined, {
    ...shareOf(server.clock),
    owner,
    agent: 'honest',
    compression: false,
  })
  for (let turn = 0; turn < turnsMax && answers.length < bodies.length; turn++) await new Promise(setImmediate)
  if (answers.toSorted().join() !== bodies.toSorted().join()) {
    throw new Fault(
      `an honest client got ${answers.length} of ${bodies.length} answers: ${answers.join().slice(0, 100)}`,
    )
  }
  client.drain()
  for (let turn = 0; turn < turnsMax && !(here.closed && there.closed); turn++) await new Promise(setImmediate)
  for (const pipe of [here, there]) pipe.events?.closed(undefined)
  if (gone !== 1 || server.connections.size > 0) throw new Fault('an honest client did not get away')
}

/** Delivers what was written, in a turn of its own. */
function deliver(pipe: OpenPipe, piece: Uint8Array): boolean {
  queueMicrotask(() => pipe.events?.received(piece))
  return true
}

function streamOf(body: string, answers: string[]): ClientStream {
  const sink: StreamSink = {
    message: (answer) => answers.push(Buffer.from(answer).toString()),
    ended: () => answers.push('no message'),
    failed: (error) => answers.push(error.message),
    writable: () => undefined,
  }
  const opening = {
    method: 'fuzz/echo',
    metadata: {},
    codec: 'application/json',
    body: Buffer.from(body),
    flags: lastMessage,
  }
  return new ClientStream(opening, sink, nowhere)
}

const nowhere: Carrier = { send: () => false, end: () => undefined, fail: () => undefined, consumed: () => undefined }
