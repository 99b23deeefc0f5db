import { create, createFileRegistry, type DescMessage } from '@bufbuild/protobuf'
import {
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import { type Codec, service, stream } from '@posthaste/contracts'
import { msgpack } from '@posthaste/msgpack'
import { protobuf } from '@posthaste/protobuf'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { client, collected, errorOf, served } from '../../test/apps.ts'

const field = (name: string, number: number, type: Type) => ({
  name,
  jsonName: name,
  number,
  type,
  label: Label.OPTIONAL,
})

/** What protoc would have read from a file, built here, so that no test needs protoc. */
function orderSchema(): DescMessage {
  const fields = [field('sku', 1, Type.STRING), field('count', 2, Type.INT32)]
  const file = { name: 'o.proto', package: 'o', syntax: 'proto3', messageType: [{ name: 'Order', field: fields }] }
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [file] })).getMessage('o.Order')!
}

/** A codec that counts what it writes and reads. */
function counting(codec: Codec) {
  const seen = { written: 0, read: 0 }
  const counted: Codec = {
    contentType: codec.contentType,
    encode(value) {
      seen.written += 1
      return codec.encode(value)
    },
    decode(body) {
      seen.read += 1
      return codec.decode(body)
    },
  }
  return { seen, codec: counted }
}

const Order = z.object({ sku: z.string(), count: z.number().int() })
const Blob = z.object({ bytes: z.instanceof(Uint8Array) })

const shopOf = (formats?: readonly { readonly input: Codec; readonly output: Codec }[]) =>
  service('shop.Shop', {
    echo: { input: Order, output: Order, formats },
    each: { input: stream(Order), output: stream(Order), formats },
  })
const Shop = shopOf()
const Blobs = service('shop.Blobs', { echo: { input: Blob, output: Blob } })

const handlers = {
  echo: async (order: z.infer<typeof Order>) => order,
  each: (orders: AsyncIterable<z.infer<typeof Order>>) => orders,
}
const order = { sku: 'A-1', count: 3 }

describe('the format of a call', () => {
  it('is MessagePack where both sides have it, bytes included', async () => {
    const { url } = await served([Blobs, { echo: async (blob) => blob }], { codecs: [msgpack()] })
    const blobs = await client(Blobs, { url, codecs: [msgpack()] })
    const bytes = crypto.getRandomValues(new Uint8Array(10_000))
    expect(Buffer.compare((await blobs.echo({ bytes })).bytes, bytes)).toBe(0)
  })

  it('is JSON where one side has nothing else, whichever it is', async () => {
    const mine = counting(msgpack())
    const { url } = await served([Shop, handlers])
    expect(await (await client(Shop, { url, codecs: [mine.codec] })).echo(order)).toEqual(order)
    const theirs = await served([Shop, handlers], { codecs: [mine.codec] })
    expect(await (await client(Shop, theirs.url)).echo(order)).toEqual(order)
    expect(mine.seen).toEqual({ written: 0, read: 0 })
  })

  it('is protobuf where the contract says so, of unary calls and of streams', async () => {
    const { seen, codec } = counting(protobuf(orderSchema()))
    const Formatted = shopOf([{ input: codec, output: codec }])
    const { url } = await served([Formatted, handlers], { codecs: [msgpack()] })
    const shop = await client(Formatted, { url, codecs: [msgpack()] })
    expect(await shop.echo(order)).toEqual(order)
    expect(seen).toEqual({ written: 2, read: 2 })
    expect(await collected(shop.each([order, order]))).toEqual([order, order])
    expect(seen).toEqual({ written: 6, read: 6 })
  })

  it('may be what only one method has', async () => {
    const { codec, seen } = counting(protobuf(orderSchema()))
    const Mixed = service('shop.Mixed', {
      plain: { input: Order, output: Order },
      formatted: { input: Order, output: Order, formats: [{ input: codec, output: codec }] },
    })
    const { url } = await served([Mixed, { plain: async (given) => given, formatted: async (given) => given }])
    const mixed = await client(Mixed, url)
    expect(await mixed.plain(order)).toEqual(order)
    expect(seen.written).toBe(0)
    expect(await mixed.formatted(order)).toEqual(order)
    expect(seen.written).toBe(2)
  })

  it('is refused where the server has it, but not for the method', async () => {
    const codec = protobuf(orderSchema())
    const Server = service('shop.Mixed', {
      one: { input: Order, output: Order, formats: [{ input: codec, output: codec }] },
      two: { input: Order, output: Order },
    })
    const Client = service('shop.Mixed', {
      two: { input: Order, output: Order, formats: [{ input: codec, output: codec }] },
    })
    const { url } = await served([Server, { one: async (given) => given, two: async (given) => given }])
    expect(await errorOf((await client(Client, url)).two(order))).toMatchObject({
      code: 'UNIMPLEMENTED',
      remedy: expect.stringContaining('application/json'),
    })
  })

  it('is told to be wrong where the bytes are not of it', async () => {
    const broken: Codec = { ...msgpack(), encode: () => Uint8Array.of(0xc1) }
    const { url } = await served([Shop, handlers], { codecs: [msgpack()] })
    const shop = await client(Shop, { url, codecs: [broken] })
    expect(await errorOf(shop.echo(order))).toMatchObject({ code: 'BODY_MALFORMED' })
  })
})

describe('compression', () => {
  const Text = z.object({ text: z.string() })
  const Texts = service('shop.Texts', {
    echo: { input: Text, output: Text },
    each: { input: stream(Text), output: stream(Text) },
  })
  const texts = {
    echo: async (given: { text: string }) => given,
    each: (given: AsyncIterable<{ text: string }>) => given,
  }
  const long = { text: 'abc '.repeat(50_000) }

  it.each([true, { aboveBytes: 100 }, false])('is transparent (%s)', async (compression) => {
    const { url } = await served([Texts, texts], { compression })
    for (const own of [true, false]) {
      const shop = await client(Texts, { url, compression: own })
      for (const given of [long, { text: 'short' }]) expect(await shop.echo(given)).toEqual(given)
      expect(await collected(shop.each([long, { text: '' }, long]))).toEqual([long, { text: '' }, long])
    }
  })

  it('has large messages go through a small door', async () => {
    // Each side takes 20,000 bytes and no more, and the message has ten times as many.
    const limits = { messageBytesMax: 300_000, streamWindow: 16_384, connectionWindow: 16_384 }
    const { url } = await served([Texts, texts], { ...limits, compression: true })
    expect(await (await client(Texts, { url, ...limits })).echo(long)).toEqual(long)
  })

  it('is no way around the bound on messages', async () => {
    const { url } = await served([Texts, texts], { messageBytesMax: 100_000, compression: true })
    const shop = await client(Texts, url)
    expect(await errorOf(shop.echo(long))).toMatchObject({ code: 'BODY_TOO_LARGE' })
    const bombs = await served([Texts, { ...texts, echo: async () => ({ text: ' '.repeat(1_000_000) }) }], {
      compression: true,
    })
    const careful = await client(Texts, { url: bombs.url, messageBytesMax: 100_000 })
    expect(await errorOf(careful.echo({ text: '' }))).toMatchObject({
      code: 'INTERNAL',
      cause: expect.objectContaining({ code: 'BODY_TOO_LARGE' }),
    })
  })
})
