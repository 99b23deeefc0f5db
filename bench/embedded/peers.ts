import { closeSync, constants, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open } from 'lmdb'
import { latenciesOf, rateOf } from '../measure.ts'
import type { Amount } from './load.ts'
import { withDirectory } from './scratch.ts'

/** The store that the engine is built on, used as directly as it can be, as durably as the engine uses it. */
async function withStore<T>(run: (store: Database<Buffer, Buffer>) => Promise<T>): Promise<T> {
  return withDirectory(async (dir) => {
    const store = open<Buffer, Buffer>({
      path: dir,
      noSubdir: false,
      overlappingSync: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      noMemInit: true,
    })
    try {
      await store.put(keyOf(2 ** 32 - 1), Buffer.alloc(1))
      return await run(store)
    } finally {
      await store.close()
    }
  })
}

/** Keys that grow: the store's best case. */
function keyOf(index: number): Buffer {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(0, 0)
  key.writeUInt32BE(index, 4)
  return key
}

/** Durable puts per second, with a promise each. */
export function putRate({ messages, outstanding, bytes }: Amount): Promise<number> {
  const value = Buffer.alloc(bytes, 'x')
  return withStore((store) => rateOf(messages, outstanding, (index) => store.put(keyOf(index), value)))
}

/** A queue at its barest: put, read, remove, each durable before the next; per second. */
export function putGetRemoveRate({ messages, outstanding, bytes }: Amount): Promise<number> {
  const value = Buffer.alloc(bytes, 'x')
  return withStore((store) =>
    rateOf(messages, outstanding, async (index) => {
      const key = keyOf(index)
      await store.put(key, value)
      if (store.get(key)?.length !== bytes) throw new Error('a value that was put is not there')
      await store.remove(key)
    }),
  )
}

/** Microseconds of each durable put, one at a time. */
export function putLatencies(count: number, bytes: number): Promise<number[]> {
  const value = Buffer.alloc(bytes, 'x')
  return withStore((store) => latenciesOf(count, (index) => store.put(keyOf(index), value)))
}

function withFile<T>(run: (file: number) => T | Promise<T>): Promise<T> {
  return withDirectory(async (dir) => {
    const file = openSync(join(dir, 'data'), constants.O_CREAT | constants.O_WRONLY)
    try {
      return await run(file)
    } finally {
      closeSync(file)
    }
  })
}

/** Microseconds of each write and fdatasync at the end of a file: what the disk asks for one durable step. */
export function syncLatencies(count: number, bytes: number): Promise<number[]> {
  const value = Buffer.alloc(bytes, 'x')
  return withFile((file) =>
    latenciesOf(count, () => {
      writeSync(file, value)
      fdatasyncSync(file)
      return undefined
    }),
  )
}

const writtenBytes = 128 * 1024 * 1024

/** Bytes per second that the disk takes in a row, made durable after each chunk. */
export function sequentialBytesPerSecond(chunkBytes: number): Promise<number> {
  const chunk = Buffer.alloc(chunkBytes, 'x')
  return withFile((file) => {
    const beganAtMs = performance.now()
    for (let written = 0; written < writtenBytes; written += chunkBytes) {
      writeSync(file, chunk)
      fdatasyncSync(file)
    }
    return (writtenBytes / (performance.now() - beganAtMs)) * 1_000
  })
}
