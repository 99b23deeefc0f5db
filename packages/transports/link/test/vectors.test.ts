import { readFileSync } from 'node:fs'
import { type ErrorCode, errorCodes, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limitDefaults } from '../src/connection/limits.ts'
import { creditCost, frameFlag, frameType, helloDefaults, preface } from '../src/wire/constants.ts'
import type { Frame } from '../src/wire/frame.ts'
import { FrameReader } from '../src/wire/frame-reader.ts'
import { frameRules, type Side } from '../src/wire/frame-rules.ts'
import { readClientHello, readServerHello } from '../src/wire/hello.ts'
import { cutAt, cuts } from './arbitrary-frames.ts'
import { bytesOf, noting, type PlainFrame, readPlain } from './plain-frames.ts'

/*
 * The page of the protocol and the code, held against each other: what the page says in bytes, tables and figures is
 * what is written and read.
 */

interface Vectors {
  readonly frames: readonly {
    readonly name: string
    readonly from: Side
    readonly preface?: true
    readonly decodeOnly?: true
    readonly hex: string
    readonly frames: readonly PlainFrame[]
  }[]
  readonly violations: readonly {
    readonly name: string
    readonly from: Side
    readonly opening?: true
    readonly code: ErrorCode
    readonly hex: string
  }[]
  readonly costs: readonly (readonly [bytes: number, cost: number])[]
}

const page = readFileSync(new URL('../../../../docs/reference/link.md', import.meta.url), 'utf8')
const vectors = JSON.parse(/```json vectors\n(.*?)\n```/s.exec(page)?.[1] ?? '') as Vectors

const receiverOf = (from: Side): Side => (from === 'client' ? 'server' : 'client')

const hellos: Readonly<Record<Side, PlainFrame>> = {
  client: { type: 'HELLO', payload: { versions: [1] } },
  server: { type: 'HELLO', payload: { version: 1, codecs: [] } },
}

/** A reader that reads every frame as a connection would, and HELLO in full; past the HELLOs unless told otherwise. */
function reading(from: Side, opening = false): FrameReader {
  const readHello = from === 'client' ? readClientHello : readServerHello
  const reader = new FrameReader(receiverOf(from), {
    frame(frame: Frame) {
      readPlain(frame)
      if (frame.type !== frameType.hello) return
      readHello(frame.bytes, frame.start, frame.end)
      reader.accept(helloDefaults.frameBytesMax)
    },
  })
  if (!opening) reader.push(bytesOf([hellos[from]], { preface: from === 'client' }))
  return reader
}

describe('the page’s frames', () => {
  const hello = (from: Side) => bytesOf([hellos[from]], { preface: from === 'client' })

  it.each(vectors.frames)('are read as what they are: $name', ({ from, hex, frames }) => {
    const opens = frames[0]?.type === 'HELLO'
    const bytes = Buffer.concat([opens ? Buffer.alloc(0) : hello(from), Buffer.from(hex, 'hex')])
    fc.assert(
      fc.property(cuts(bytes.length), (at) => {
        const { reader, frames: read } = noting(receiverOf(from))
        for (const chunk of cutAt(bytes, at)) reader.push(Buffer.from(chunk))
        expect(read.slice(opens ? 0 : 1)).toEqual(frames)
        expect(reader.underway).toBe(false)
      }),
      { numRuns: 10 },
    )
  })

  it.each(vectors.frames.filter(({ decodeOnly }) => !decodeOnly))('are written as they are: $name', (vector) => {
    expect(bytesOf(vector.frames, { preface: vector.preface === true }).toString('hex')).toBe(vector.hex)
  })

  it('are of every type, and with every flag', () => {
    const all = vectors.frames.flatMap(({ frames }) => frames)
    expect(new Set(all.map(({ type }) => type))).toEqual(new Set(frameRules.map(({ name }) => name)))
    const flags = new Set(all.flatMap((frame) => ('flags' in frame ? frame.flags : [])))
    expect(flags).toEqual(new Set(['LAST', 'COMPRESSED', 'MORE', 'UNTOUCHED', 'ACK']))
  })
})

describe('the page’s violations', () => {
  it.each(vectors.violations)('end the connection: $name', ({ from, opening, code, hex }) => {
    const reader = reading(from, opening)
    let thrown: unknown
    try {
      reader.push(Buffer.from(hex, 'hex'))
    } catch (error) {
      thrown = error
    }
    expect(PosthasteError.is(thrown, code), String(thrown)).toBe(true)
  })
})

describe('the page’s figures', () => {
  it('are the costs of messages', () => {
    expect(vectors.costs.map(([bytes]) => [bytes, creditCost(bytes)])).toEqual(vectors.costs)
  })

  it('are the preface', () => {
    const hex = [...preface].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    expect(page).toContain(`\`${hex}\` (\`PHLINK\\r\\n\`)`)
  })

  it('are the types of frames, who sends them, and their flags', () => {
    const rows = [...page.matchAll(/^\| `(0\d)` \| \[(\w+)\]\(#\w+\) \| (\w+) \| (\S+) \| [^|]* \| (.*?) ?\|$/gm)]
    const told = rows.map(([, type, name, from, stream, flags]) => {
      const bits = [...(flags ?? '').matchAll(/`(\d\d)` /g)].reduce(
        (sum, [, bit]) => sum | Number.parseInt(bit!, 16),
        0,
      )
      return { type: Number.parseInt(type!, 16), name, from, stream, flags: bits }
    })
    const streams = { connection: '0', stream: '1…', either: 'any' }
    expect(told).toEqual(
      frameRules.map(({ name, from, on, flags }, type) => ({ type, name, from, stream: streams[on], flags })),
    )
    expect(Object.keys(frameType).map((name) => name.toUpperCase())).toEqual(told.map(({ name }) => name))
    expect(page).toContain(`the bit \`${frameFlag.skippable.toString(16)}\``)
  })

  it.each(Object.entries(helloDefaults))('are the default of HELLO’s %s', (name, value) => {
    const row = new RegExp(`^\\| \`${name}\` \\|.*\\| ([\\d,]+) \\|$`, 'm').exec(page)
    expect(row?.[1]?.replaceAll(',', '')).toBe(String(value))
  })

  it.each<[RegExp, keyof typeof limitDefaults, number]>([
    [/`frameBytesMax` \| (\d+) KiB/, 'frameBytesMax', 1024],
    [/`metadataBytesMax` \| (\d+) KiB/, 'metadataBytesMax', 1024],
    [/`messageBytesMax` \| (\d+) MiB/, 'messageBytesMax', 1024 ** 2],
    [/unfinished messages of a connection \| (\d+) MiB/, 'unfinishedBytesMax', 1024 ** 2],
    [/messages nobody has consumed, of a connection \| (\d+) MiB/, 'unconsumedBytesMax', 1024 ** 2],
    [/messages that wait to be sent, of a connection \| (\d+) MiB/, 'unsentBytesMax', 1024 ** 2],
    [/`streamsMax`, of a connection \| ([\d,]+)/, 'streamsMax', 1],
    [/^\| connections \| ([\d,]+)/m, 'connectionsMax', 1],
    [/connections without HELLO \| (\d+)/, 'handshakesMax', 1],
    [/time for the HELLO \| (\d+) s/, 'handshakeMs', 1000],
    [/time for a frame that has begun \| (\d+) s/, 'stallMs', 1000],
    [/cancelled streams in 10 s \| ([\d,]+)/, 'cancelsMax', 1],
    [/PINGs in 10 s with no stream opened between them \| (\d+)/, 'pingsMax', 1],
  ])('are the server’s bounds: %s', (row, name, unit) => {
    expect(Number(row.exec(page)?.[1]?.replaceAll(',', '')) * unit).toBe(limitDefaults[name])
  })

  it('name codes that exist', () => {
    const codes = [...page.matchAll(/`([A-Z]+(?:_[A-Z]+)+|UNAVAILABLE|UNIMPLEMENTED|OVERLOADED|INTERNAL)`/g)]
    expect(codes.length).toBeGreaterThan(10)
    for (const [, code] of codes) expect(Object.keys(errorCodes)).toContain(code)
  })
})
