import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { helloDefaults } from './constants.ts'
import {
  type ClientHello,
  encodeClientHello,
  encodeServerHello,
  readClientHello,
  readServerHello,
  type ServerHello,
} from './hello.ts'

const json = (value: unknown) => Buffer.from(JSON.stringify(value))

const clientHello: ClientHello = {
  versions: [1, 2],
  agent: 'posthaste/1',
  token: 'secret',
  frameBytesMax: 65_536,
  metadataBytesMax: 0,
  streamWindow: 16_384,
  connectionWindow: 2 ** 31 - 1,
  compression: ['gzip'],
}

const serverHello: ServerHello = {
  version: 1,
  agent: 'posthaste/1',
  codecs: ['application/json', 'application/msgpack'],
  compression: 'gzip',
  compressAboveBytes: 1024,
  frameBytesMax: 65_536,
  messageBytesMax: 1,
  metadataBytesMax: 100,
  methodsMax: 0,
  streamWindow: 16_384,
  connectionWindow: 16_384,
  streamsMax: 1,
  keepaliveMs: 10_000,
}

describe('HELLO', () => {
  it('is read as it was written', () => {
    expect(readClientHello(encodeClientHello(clientHello))).toEqual(clientHello)
    expect(readServerHello(encodeServerHello(serverHello))).toEqual(serverHello)
  })

  it('needs no more than the version, and of a server the codecs', () => {
    const { frameBytesMax, metadataBytesMax, streamWindow, connectionWindow } = helloDefaults
    const own = { frameBytesMax, metadataBytesMax, streamWindow, connectionWindow }
    expect(readClientHello(json({ versions: [1] }))).toEqual({ versions: [1], agent: '', compression: [], ...own })
    expect(readServerHello(json({ version: 1, codecs: [] }))).toEqual({
      version: 1,
      agent: '',
      codecs: [],
      ...helloDefaults,
    })
  })

  it('may have members of later versions', () => {
    expect(readClientHello(json({ ...clientHello, wings: 2, __proto__: { token: 'x' } }))).toEqual(clientHello)
  })

  it('takes nothing from a prototype', () => {
    expect(() => readClientHello(Buffer.from('{"__proto__":{"versions":[1]}}'))).toThrow(/versions/)
  })

  it('names everything that is wrong with it', () => {
    const wrong = { versions: 1, agent: 7, token: {}, frameBytesMax: 1, streamWindow: '9', compression: [''] }
    const issues = /versions.*agent.*token.*frameBytesMax.*streamWindow.*compression/
    expect(() => readClientHello(json(wrong))).toThrow(issues)
    expect(() => readServerHello(json({ streamsMax: 0, keepaliveMs: 1.5 }))).toThrow(
      /codecs.*streamsMax.*keepaliveMs.*version/,
    )
  })

  it.each<[string, object]>([
    ['a frame below 16 KiB', { frameBytesMax: 16_383 }],
    ['a frame of 16 MiB', { frameBytesMax: 2 ** 24 }],
    ['a window below 16 KiB', { connectionWindow: 16_383 }],
    ['a window of 2 GiB', { streamWindow: 2 ** 31 }],
    ['a long agent', { agent: 'x'.repeat(256) }],
    ['null for a number', { metadataBytesMax: null }],
    ['too many versions', { versions: Array(256).fill(1) }],
  ])('does not have %s', (_, members) => {
    expect(() => readClientHello(json({ versions: [1], ...members }))).toThrow(
      expect.objectContaining({ code: 'BODY_MALFORMED' }),
    )
  })

  it('of a version that is not spoken here says which one is', () => {
    const unknown = expect.objectContaining({ code: 'UNIMPLEMENTED' })
    expect(() => readClientHello(json({ versions: [2, 3] }))).toThrow(unknown)
    expect(() => readServerHello(json({ version: 2, codecs: [] }))).toThrow(unknown)
    expect(() => readClientHello(json({ versions: [2, 3] }))).toThrow(/speaks 2, 3, this side speaks version 1/)
  })

  it('of more than 16 KiB is not sent', () => {
    const token = 'x'.repeat(16 * 1024)
    expect(() => encodeClientHello({ ...clientHello, token })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })

  it.each(['', 'null', '[]', '7', '"x"', '{', '{"versions":[1]}}', '\u00ff'])(
    'is an object in JSON, not %j',
    (text) => {
      const malformed = expect.objectContaining({ code: 'BODY_MALFORMED' })
      expect(() => readClientHello(Buffer.from(text, 'latin1'))).toThrow(malformed)
      expect(() => readServerHello(Buffer.from(text, 'latin1'))).toThrow(malformed)
    },
  )

  it('of any JSON is read or refused with an error of ours', () => {
    const member = fc.constantFrom(
      'versions',
      'version',
      'codecs',
      'agent',
      'token',
      'compression',
      ...Object.keys(helloDefaults),
    )
    fc.assert(
      fc.property(fc.dictionary(member, fc.oneof(fc.jsonValue(), fc.constant([1]), fc.constant(1))), (members) => {
        for (const read of [readClientHello, readServerHello]) {
          try {
            expect(read(json(members))).toMatchObject({ agent: expect.any(String) as string })
          } catch (error) {
            expect(error).toMatchObject({ name: 'PosthasteError' })
          }
        }
      }),
    )
  })
})
