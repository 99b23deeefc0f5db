import { PosthasteError, type Seeking, type SeekTarget } from '@posthaste/contracts'
import { undeclared } from './errors.ts'
import { idBefore, placeOf } from './names.ts'
import type { ServerTime } from './server-time.ts'
import type { Run } from './session.ts'
import { Packer } from './wire.ts'

/** Moving groups: a group begins behind an id of its stream. */
export function seeking(run: Run, time: ServerTime): Seeking {
  return {
    async seek(channel, group, target) {
      const behind = beginsBehind(target, time)
      const reply = await run('seek', new Packer().array(3).text(channel).text(group).textOrNo(behind).take())
      const refuse = (code: 'FAILED_PRECONDITION' | 'CONFLICT', why: string) =>
        new PosthasteError(code, `seek of ${group} in ${channel}: ${why}`)
      if (reply.isNo()) throw undeclared(`channel ${channel}`)
      if (reply.isArray()) {
        reply.array()
        throw refuse('CONFLICT', `the group has ${reply.number()} members`)
      }
      const answer = reply.number()
      if (answer === 1) throw undeclared(`group ${group} of ${channel}`)
      if (answer === 2) throw refuse('FAILED_PRECONDITION', 'a queue keeps nothing to go back to')
      if (answer === 3) throw refuse('FAILED_PRECONDITION', 'the group is temporary')
    },
  }
}

/** The id right before the target; undefined for the end of the stream. */
function beginsBehind(target: SeekTarget, time: ServerTime): string | undefined {
  if ('to' in target) return target.to === 'earliest' ? '0-0' : undefined
  if ('atMs' in target) {
    if (Number.isNaN(target.atMs)) throw new PosthasteError('INVALID_ARGUMENT', 'seek: the time is not a number')
    const ms = time.atServer(target.atMs)
    return Number.isSafeInteger(ms) ? idBefore({ ms, seq: 0 }) : undefined
  }
  const place = placeOf(target.position)
  if (place === undefined)
    throw new PosthasteError('INVALID_ARGUMENT', `seek: ${target.position} is no position of this engine`)
  return idBefore(place)
}
