import { type ErrorCode, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientFrame, cutAt, cuts, serverFrame } from '../../test/arbitrary-frames.ts'
import { bytesOf, noting, type PlainFrame } from '../../test/plain-frames.ts'
import { FrameReader } from './frame-reader.ts'
import type { Side } from './frame-rules.ts'

const clientHello: PlainFrame = { type: 'HELLO', payload: { versions: [1] } }
const serverHello: PlainFrame = { type: 'HELLO', payload: { version: 1, codecs: [] } }

const sent: readonly [Side, PlainFrame, fc.Arbitrary<PlainFrame>][] = [
  ['server', clientHello, clientFrame],
  ['client', serverHello, serverFrame],
]

/** A reader that is past both HELLOs. */
function accepted(receiver: Side) {
  const noted = noting(receiver)
  const isServer = receiver === 'server'
  noted.reader.push(bytesOf([isServer ? clientHello : serverHello], { preface: isServer }))
  noted.frames.length = 0
  return noted
}

const frameHex = (head: string, payload = '') => Buffer.from(`${head.replaceAll(' ', '')}${payload}`, 'hex')

/** What reading throws, which is always an error of ours. */
function violation(receiver: Side, bytes: Uint8Array, { reader } = accepted(receiver)): string | undefined {
  try {
    reader.push(bytes)
    return undefined
  } catch (error) {
    if (!PosthasteError.is(error)) throw error
    return error.code
  }
}

describe('frames that were written', () => {
  it.each(sent)('are read as they were by a %s, whatever the chunks', (receiver, hello, arbitrary) => {
    const splits = fc.array(arbitrary, { maxLength: 12 }).chain((frames) => {
      const bytes = bytesOf([hello, ...frames], { preface: receiver === 'server' })
      return fc.tuple(fc.constant(frames), fc.constant(bytes), cuts(bytes.length))
    })
    fc.assert(
      fc.property(splits, ([frames, bytes, at]) => {
        const { reader, frames: read } = noting(receiver)
        for (const chunk of cutAt(bytes, at)) reader.push(Buffer.from(chunk))
        expect(read).toEqual([hello, ...frames])
        expect(reader.underway).toBe(false)
        expect(reader.frames).toBe(frames.length + 1)
      }),
    )
  })

  it('are read byte by byte', () => {
    const frames: PlainFrame[] = [
      { type: 'OPEN', stream: 1, flags: ['LAST'], method: 0, name: 'a/b', codec: 0, metadata: { k: 'v' }, body: '00' },
      { type: 'MESSAGE', stream: 1, flags: [], body: 'ff'.repeat(5000) },
      { type: 'PING', flags: [], data: '0001020304050607' },
    ]
    const { reader, frames: read } = noting('server')
    for (const byte of bytesOf([clientHello, ...frames], { preface: true })) reader.push(Buffer.of(byte))
    expect(read.slice(1)).toEqual(frames)
  })

  it('keep their bytes after the next chunk has come', () => {
    const kept: Buffer[] = []
    const reader = new FrameReader('client', {
      frame: (frame) => {
        kept.push(frame.bytes.subarray(frame.start, frame.end))
        reader.accept(100)
      },
    })
    const bytes = bytesOf([
      serverHello,
      ...['aa', 'bb'].map((body): PlainFrame => ({ type: 'MESSAGE', stream: 1, flags: [], body })),
    ])
    for (const chunk of cutAt(bytes, [bytes.length - 15, bytes.length - 5])) reader.push(Buffer.from(chunk))
    expect(kept.slice(1).map((body) => body.toString('hex'))).toEqual(['aa', 'bb'])
  })
})

describe('bytes that nobody should have sent', () => {
  it.each(sent)(
    'are read or refused by a %s with an error of ours, however they are mutated',
    (receiver, hello, arbitrary) => {
      const mutated = fc.array(arbitrary, { minLength: 1, maxLength: 6 }).chain((frames) => {
        const bytes = bytesOf([hello, ...frames], { preface: receiver === 'server' })
        const change = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }))
        return fc.tuple(fc.constant(bytes), fc.array(change, { minLength: 1, maxLength: 4 }), cuts(bytes.length))
      })
      fc.assert(
        fc.property(mutated, ([bytes, changes, at]) => {
          for (const [offset, byte] of changes) bytes[offset] = byte
          const noted = noting(receiver)
          for (const chunk of cutAt(bytes, at)) if (violation(receiver, chunk, noted) !== undefined) return
        }),
      )
    },
  )

  it.each(sent)('are awaited by a %s where they are cut short, and never handed on', (receiver, hello, arbitrary) => {
    const truncated = arbitrary.chain((frame) => {
      const bytes = bytesOf([frame])
      return fc.tuple(fc.constant(bytes), fc.nat({ max: bytes.length - 1 }))
    })
    fc.assert(
      fc.property(truncated, ([bytes, length]) => {
        const { reader, frames } = accepted(receiver)
        reader.push(bytes.subarray(0, length))
        expect(frames).toEqual([])
        expect(reader.underway).toBe(length > 0)
        reader.push(bytes.subarray(length))
        expect(frames).toHaveLength(1)
      }),
    )
    expect(hello.type).toBe('HELLO')
  })

  it('are refused whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom<Side[]>('client', 'server'), (bytes, receiver) => {
        violation(receiver, bytes)
        violation(receiver, bytes, noting(receiver))
      }),
    )
  })
})

interface Violation {
  readonly to: Side
  readonly hex: string
  readonly code: ErrorCode
}

describe('a violation', () => {
  it.each<[string, Violation]>([
    ['a stream above 2^31-1', { to: 'server', hex: '000000 02 00 80000000', code: 'BODY_MALFORMED' }],
    ['MESSAGE on the connection', { to: 'server', hex: '000000 02 00 00000000', code: 'BODY_MALFORMED' }],
    ['PING on a stream', { to: 'server', hex: '000008 07 00 00000001 0000000000000000', code: 'BODY_MALFORMED' }],
    ['a PING of 7 bytes', { to: 'server', hex: '000007 07 00 00000000 00000000000000', code: 'BODY_MALFORMED' }],
    ['a PING of 9 bytes', { to: 'server', hex: '000009 07 00 00000000 000000000000000000', code: 'BODY_MALFORMED' }],
    ['a flag MESSAGE does not have', { to: 'server', hex: '000000 02 02 00000001', code: 'BODY_MALFORMED' }],
    ['an empty piece', { to: 'server', hex: '000000 02 10 00000001', code: 'BODY_MALFORMED' }],
    ['a last piece that goes on', { to: 'server', hex: '000001 02 11 00000001 00', code: 'BODY_MALFORMED' }],
    ['a compressed piece that goes on', { to: 'server', hex: '000001 02 18 00000001 00', code: 'BODY_MALFORMED' }],
    [
      'an OPEN that says it is compressed without a message',
      { to: 'server', hex: '000009 01 08 00000001 0000ffffffff000000', code: 'BODY_MALFORMED' },
    ],
    ['an OPEN of 8 bytes', { to: 'server', hex: '000008 01 00 00000001 0000ffffffff0000', code: 'BODY_MALFORMED' }],
    [
      'an OPEN with bytes after its metadata',
      { to: 'server', hex: '00000a 01 00 00000001 0000ffffffff00000000', code: 'BODY_MALFORMED' },
    ],
    [
      'an OPEN with an empty name',
      { to: 'server', hex: '00000a 01 04 00000001 000000ffffffff000000', code: 'BODY_MALFORMED' },
    ],
    [
      'an OPEN with a name that does not end',
      { to: 'server', hex: '00000a 01 04 00000001 0000ffffffffff000000', code: 'BODY_MALFORMED' },
    ],
    [
      'an OPEN with a name that leaves no room',
      { to: 'server', hex: '00000a 01 04 00000001 000006ffffffff000000', code: 'BODY_MALFORMED' },
    ],
    ['CREDIT of nothing', { to: 'server', hex: '000004 06 00 00000001 00000000', code: 'BODY_MALFORMED' }],
    ['CREDIT above 2^31-1', { to: 'server', hex: '000004 06 00 00000001 80000000', code: 'BODY_MALFORMED' }],
    ['CANCEL without a reason', { to: 'server', hex: '000000 05 00 00000001', code: 'BODY_MALFORMED' }],
    [
      'END with bytes after its metadata',
      { to: 'server', hex: '000003 03 00 00000001 000000', code: 'BODY_MALFORMED' },
    ],
    ['an unknown type on a stream', { to: 'server', hex: '000000 09 00 00000001', code: 'BODY_MALFORMED' }],
    ['a GOAWAY above 2^31-1', { to: 'server', hex: '000004 08 00 00000000 80000000', code: 'BODY_MALFORMED' }],
    ['a GOAWAY that is not JSON', { to: 'server', hex: '000006 08 00 00000000 00000000 7b7b', code: 'BODY_MALFORMED' }],
    ['ERROR from the client', { to: 'server', hex: '000002 04 00 00000001 7b7d', code: 'FAILED_PRECONDITION' }],
    ['an ERROR that says nothing', { to: 'client', hex: '000002 04 00 00000001 7b7d', code: 'BODY_MALFORMED' }],
    ['an ERROR that is a list', { to: 'client', hex: '000002 04 00 00000001 5b5d', code: 'BODY_MALFORMED' }],
    [
      'OPEN from the server',
      { to: 'client', hex: '000009 01 00 00000001 0000ffffffff000000', code: 'FAILED_PRECONDITION' },
    ],
    ['CANCEL from the server', { to: 'client', hex: '000001 05 00 00000001 00', code: 'FAILED_PRECONDITION' }],
    ['HELLO twice', { to: 'server', hex: '000002 00 00 00000000 7b7d', code: 'FAILED_PRECONDITION' }],
    ['a frame of 64 KiB and a byte', { to: 'server', hex: '010001 02 00 00000001', code: 'BODY_TOO_LARGE' }],
  ])('is %s', (_, { to, hex, code }) => {
    expect(violation(to, frameHex(hex))).toBe(code)
  })

  it('is the end: nothing is read after it', () => {
    const noted = accepted('server')
    const ping: PlainFrame = { type: 'PING', flags: [], data: '0000000000000000' }
    expect(
      violation('server', Buffer.concat([bytesOf([ping]), frameHex('000000 02 00 00000000'), bytesOf([ping])]), noted),
    ).toBe('BODY_MALFORMED')
    noted.reader.push(bytesOf([ping]))
    expect(noted.frames).toEqual([ping])
  })

  it('of a frame’s size is seen in its header, before any of it is kept', () => {
    const { reader } = accepted('server')
    reader.push(frameHex('0100'))
    expect(() => reader.push(frameHex('01 02 00 000000'))).not.toThrow()
    expect(() => reader.push(frameHex('01'))).toThrow(/65537 bytes/)
  })
})

describe('a type of a later version', () => {
  it('is passed over on the connection, and on a stream with the flag that allows it', () => {
    const { reader, frames } = accepted('server')
    reader.push(frameHex('000001 09 00 00000000 ff'))
    reader.push(frameHex('000001 7f 80 00000005 ff'))
    reader.push(frameHex('000001 05 00 00000005 00'))
    expect(frames).toEqual([{ type: 'CANCEL', stream: 5, reason: 0 }])
  })
})

describe('the opening', () => {
  it('is refused at the first byte that no client of link sends', () => {
    const { reader } = noting('server')
    expect(() => reader.push(Buffer.from('GET / HTTP/1.1\r\n'))).toThrow(/no link client/)
    expect(violation('server', Buffer.from('PHLINK\n'), noting('server'))).toBe('BODY_MALFORMED')
  })

  it('is underway from its first byte', () => {
    const { reader } = noting('server')
    expect(reader.underway).toBe(false)
    reader.push(Buffer.from('PH'))
    expect(reader.underway).toBe(true)
    reader.push(Buffer.from('LINK\r\n'))
    expect(reader.underway).toBe(false)
  })

  it.each<[Side, string]>([
    ['server', 'PING'],
    ['server', 'GOAWAY'],
    ['client', 'PING'],
  ])('of a %s begins with HELLO and not with %s', (receiver, type) => {
    const frame: PlainFrame =
      type === 'PING' ? { type, flags: [], data: '0000000000000000' } : { type: 'GOAWAY', last: 0 }
    const bytes = bytesOf([frame], { preface: receiver === 'server' })
    expect(violation(receiver, bytes, noting(receiver))).toBe('FAILED_PRECONDITION')
  })

  it('may be a GOAWAY of the server', () => {
    const { reader, frames } = noting('client')
    const goaway: PlainFrame = {
      type: 'GOAWAY',
      last: 0,
      payload: { code: 'UNAUTHENTICATED', message: 'no such token' },
    }
    reader.push(bytesOf([goaway]))
    expect(frames).toEqual([goaway])
  })

  it('has nothing between a client’s HELLO and the server’s', () => {
    const reader = new FrameReader('server', { frame: () => undefined })
    reader.push(bytesOf([clientHello], { preface: true }))
    expect(() => reader.push(bytesOf([{ type: 'PING', flags: [], data: '0000000000000000' }]))).toThrow(
      /before HELLO was answered/,
    )
  })

  it('takes no HELLO above 16 KiB', () => {
    const hello: PlainFrame = { type: 'HELLO', payload: { versions: [1], token: 'x'.repeat(16 * 1024) } }
    expect(violation('server', bytesOf([hello], { preface: true }), noting('server'))).toBe('BODY_TOO_LARGE')
  })
})

describe('a reader that is stopped', () => {
  it('reads not even the rest of the chunk', () => {
    const read: number[] = []
    const reader = new FrameReader('client', {
      frame: (frame) => {
        read.push(frame.type)
        reader.accept(100)
        if (read.length === 2) reader.stop()
      },
    })
    const ping: PlainFrame = { type: 'PING', flags: [], data: '0000000000000000' }
    reader.push(bytesOf([serverHello, ping, ping]))
    reader.push(bytesOf([ping]))
    reader.accept(200)
    reader.push(bytesOf([ping]))
    expect(read).toEqual([0, 7])
  })

  it('was stopped by what its handler threw', () => {
    const reader = new FrameReader('client', {
      frame: () => {
        throw new PosthasteError('FAILED_PRECONDITION', 'unknown stream')
      },
    })
    expect(() => reader.push(bytesOf([serverHello]))).toThrow(/unknown stream/)
    expect(() => reader.push(bytesOf([serverHello]))).not.toThrow()
  })
})
