import { type Codec, PosthasteError } from '@posthaste/contracts'
import { Packr } from 'msgpackr'
import { withBuffers } from './bytes.ts'
import { type MsgpackOptions, readOptions } from './options.ts'
import { Structure } from './structure.ts'

export type { MsgpackContentType, MsgpackOptions } from './options.ts'

/**
 * MessagePack as the format of a contract's messages, in the plain form that every other implementation reads.
 *
 * What JSON knows comes back as it was (-0 as 0); beyond it: `Uint8Array` as bin, `Date` as the timestamp extension with its
 * milliseconds, `bigint` as a 64-bit integer. Integers come back as numbers where a number holds them exactly and as
 * `bigint` where not, whatever they were written from, so a schema for big ones coerces. A property that is undefined is
 * left out, undefined in an array becomes null, a `Map` an object; half of a surrogate pair becomes U+FFFD.
 *
 * @throws CONFIG_INVALID listing every mistake. The codec throws PAYLOAD_INVALID for what is no plain data (functions, sets,
 *   other typed arrays), cycles, integers beyond 64 bits, invalid dates, keys of a `Map` that are neither text nor whole
 *   numbers, and the key `__proto__`; BODY_MALFORMED for bytes that are not exactly one value, and for other extensions;
 *   either for what is nested deeper than `depthMax`
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function msgpack(options: MsgpackOptions = {}): Codec {
  const { contentType, depthMax } = readOptions(options)
  const packr = makePackr()

  return Object.freeze<Codec>({
    contentType,
    encode(value) {
      if (value === undefined) throw new PosthasteError('PAYLOAD_INVALID', 'MessagePack has no way to write undefined')
      try {
        const bytes = packr.pack(withBuffers(value, depthMax))
        new Structure(bytes, { depthMax, own: true }).check()
        return bytes
      } catch (cause) {
        throw PosthasteError.from(cause, 'PAYLOAD_INVALID', 'the data cannot be written as MessagePack')
      }
    },
    decode(body) {
      try {
        new Structure(body, { depthMax, own: false }).check()
        // A view of its own: the library leaves a property on what it reads.
        return packr.unpack(new Uint8Array(body.buffer, body.byteOffset, body.byteLength))
      } catch (cause) {
        throw PosthasteError.from(cause, 'BODY_MALFORMED', 'the body is not MessagePack')
      }
    },
  })
}

function makePackr(): Packr {
  // Not all of these are in the library's types.
  const settings: object = {
    useRecords: false,
    mapsAsObjects: true,
    skipValues: [undefined],
    encodeUndefinedAsNil: true,
    // Marks what is neither plain data nor bytes as the library's own extensions, which the check of what was written refuses.
    moreTypes: true,
    int64AsType: 'auto',
    // What was read must not hold on to, or change with, the engine's buffers.
    copyBuffers: true,
    writeFunction: () => {
      throw new TypeError('there is a function in it')
    },
  }
  return new Packr(settings)
}
