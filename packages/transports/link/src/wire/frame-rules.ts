import { frameBytesLimit, frameFlag, frameType, helloBytesMax } from './constants.ts'
import type { Frame } from './frame.ts'
import { malformed, outOfPlace } from './violation.ts'

/** The two sides of a connection: who dialled, and who listens. */
export type Side = 'client' | 'server'

/** The structure that frames of one type have. */
export interface FrameRule {
  readonly name: string
  readonly flags: number
  readonly bytesLeast: number
  readonly bytesMax: number
  readonly on: 'connection' | 'stream' | 'either'
  readonly from: Side | 'both'
}

const bothWays = { flags: 0, bytesMax: frameBytesLimit, from: 'both' } as const
const { last, body, named, compressed, more, untouched, ack } = frameFlag

/** By type. */
export const frameRules: readonly FrameRule[] = [
  { ...bothWays, name: 'HELLO', bytesLeast: 2, bytesMax: helloBytesMax, on: 'connection' },
  {
    ...bothWays,
    name: 'OPEN',
    flags: last | body | named | compressed | more,
    bytesLeast: 9,
    on: 'stream',
    from: 'client',
  },
  { ...bothWays, name: 'MESSAGE', flags: last | compressed | more, bytesLeast: 0, on: 'stream' },
  { ...bothWays, name: 'END', bytesLeast: 2, on: 'stream' },
  { ...bothWays, name: 'ERROR', flags: untouched, bytesLeast: 2, on: 'stream', from: 'server' },
  { ...bothWays, name: 'CANCEL', bytesLeast: 1, bytesMax: 1, on: 'stream', from: 'client' },
  { ...bothWays, name: 'CREDIT', bytesLeast: 4, bytesMax: 4, on: 'either' },
  { ...bothWays, name: 'PING', flags: ack, bytesLeast: 8, bytesMax: 8, on: 'connection' },
  { ...bothWays, name: 'GOAWAY', bytesLeast: 4, on: 'connection' },
]

/**
 * Checks a frame's header.
 * @throws BODY_MALFORMED for flags, length or stream that the type cannot have; FAILED_PRECONDITION for a type that only
 *   the receiver sends
 */
export function checkHead(frame: Frame, receiver: Side): void {
  const { flags, stream } = frame
  const bytes = frame.end - frame.start
  const rule = frameRules[frame.type] as FrameRule
  if (rule.from === receiver) throw outOfPlace(`${rule.name} from the ${receiver === 'client' ? 'server' : 'client'}`)
  if (rule.on !== 'either' && (stream === 0) !== (rule.on === 'connection')) {
    throw malformed(`${rule.name} on ${stream === 0 ? 'the connection' : `stream ${stream}`}`)
  }
  if ((flags & ~rule.flags) !== 0) throw malformed(`${rule.name} with flags 0x${flags.toString(16)}`)
  if (bytes < rule.bytesLeast || bytes > rule.bytesMax) throw malformed(`${rule.name} with ${bytes} bytes`)
  if (frame.type === frameType.open && (flags & body) === 0 && (flags & (compressed | more)) !== 0) {
    throw malformed('OPEN with flags of a message it does not have')
  }
  if ((flags & more) !== 0) checkPiece(frame, rule.name)
}

function checkPiece({ flags, start, end }: Frame, name: string): void {
  if ((flags & (last | compressed)) !== 0)
    throw malformed(`${name} of an unfinished message with flags of a finished one`)
  if (start === end) throw malformed(`${name} with an empty piece of a message`)
}
