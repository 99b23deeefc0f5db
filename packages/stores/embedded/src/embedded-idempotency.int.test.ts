import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { idempotencyStoreCases } from '@posthaste/conformance/stores'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type EmbeddedIdempotency,
  type EmbeddedIdempotencyOptions,
  embeddedIdempotency,
} from './embedded-idempotency.ts'

let dir: string
let aheadMs: number
let stores: EmbeddedIdempotency[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'embedded-store-'))
  aheadMs = 0
  stores = []
})
afterEach(async () => {
  for (const store of stores) await store.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Time is the machine's, so that other processes have the same, and may be ahead of it. */
const clock = { nowMs: () => Date.now() + aheadMs }
const advance = async (ms: number): Promise<void> => {
  aheadMs += ms
}
function open(options: Partial<EmbeddedIdempotencyOptions> = {}): EmbeddedIdempotency {
  const store = embeddedIdempotency({ dir: join(dir, 'results'), clock, ...options })
  stores.push(store)
  return store
}

const claim = (key: string) => ({ key, fingerprint: 'f', leaseMs: 60_000 })
const done = { result: Uint8Array.of(7), ttlMs: 600_000 }

/** A process that opens the store, and does what it is told. */
function child(program: string): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const script = `
    import { embeddedIdempotency } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
    const store = embeddedIdempotency({ dir: ${JSON.stringify(join(dir, 'results'))} })
    ${program}`
  return spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  }) as ChildProcess & { stdout: NodeJS.ReadableStream }
}

describe('the embedded store', () => {
  it.each(idempotencyStoreCases)('$title', ({ run }) => run({ stores: [open(), open()], advance }))

  it('keeps what it has answered over a restart', async () => {
    const first = open()
    const state = await first.claim(claim('done'))
    if (state.state === 'fresh') await first.complete('done', state.token, done)
    await first.claim(claim('held'))
    await first.close()
    const second = open()
    expect(await second.claim(claim('done'))).toEqual({ state: 'done', result: done.result })
    expect(await second.claim(claim('held'))).toMatchObject({ state: 'inFlight' })
  })

  it('keeps the claim of a process that is killed until its lease lapses, and loses no result that it has confirmed', async () => {
    const killed = child(`
      await store.claim(${JSON.stringify(claim('held'))})
      const lane = async (lane) => {
        for (let n = 0; ; n++) {
          const key = lane + '-' + n
          const { token } = await store.claim({ key, fingerprint: 'f', leaseMs: 60_000 })
          await store.complete(key, token, { result: Uint8Array.of(7), ttlMs: 600_000 })
          console.log(key)
        }
      }
      for (let n = 0; n < 4; n++) lane(n)`)
    const confirmed: string[] = []
    for await (const key of createInterface(killed.stdout)) {
      confirmed.push(key)
      if (confirmed.length === 40) killed.kill('SIGKILL')
    }
    const store = open()
    for (const key of confirmed) expect(await store.claim(claim(key))).toEqual({ state: 'done', result: done.result })
    expect(await store.claim(claim('held'))).toMatchObject({ state: 'inFlight' })
    await advance(60_000)
    expect(await store.claim(claim('held'))).toMatchObject({ state: 'fresh' })
  })

  it('gives a key that several processes claim at a time to exactly one of them', async () => {
    const program = `
      process.stdin.once('data', async () => {
        const keys = Array.from({ length: 30 }, (_, n) => 'k' + n)
        const states = await Promise.all(keys.map((key) => store.claim({ key, fingerprint: 'f', leaseMs: 60_000 })))
        console.log(states.filter(({ state }) => state === 'fresh').length)
        await store.close()
        process.exit()
      })
      console.log('ready')`
    const children = [child(program), child(program), child(program)]
    const lines = children.map(({ stdout }) => createInterface(stdout)[Symbol.asyncIterator]())
    for (const each of lines) expect((await each.next()).value).toBe('ready')
    for (const { stdin } of children) stdin?.write('go')
    const fresh = await Promise.all(lines.map(async (each) => Number((await each.next()).value)))
    expect(fresh.reduce((sum, count) => sum + count)).toBe(30)
    await Promise.all(children.map((each) => (each.exitCode === null ? once(each, 'exit') : undefined)))
  })

  it('removes what is over with what is written after it', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 100 }, (_, n) => store.claim(claim(`old-${n}`))))
    expect(store.size).toBe(100)
    await advance(30_000)
    await store.claim(claim('young'))
    await advance(30_000)
    for (let n = 0; n < 30; n++) await store.claim(claim(`new-${n}`))
    expect(store.size).toBe(31)
    expect(await store.claim(claim('young'))).toMatchObject({ state: 'inFlight' })
  })

  it('is closed twice, and then refuses to work', async () => {
    const store = open()
    const last = store.claim(claim('a'))
    await store.close()
    await store.close()
    await expect(last).resolves.toMatchObject({ state: 'fresh' })
    for (const use of [
      () => store.claim(claim('a')),
      () => store.complete('a', 't', done),
      () => store.release('a', 't'),
    ])
      await expect(use()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /closed/ })
    expect(store.size).toBe(0)
  })

  it('says so where it cannot have its directory', () => {
    writeFileSync(join(dir, 'file'), '')
    expect(() => open({ dir: join(dir, 'file') })).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
  })
})

describe('the options of the embedded store', () => {
  it('are refused with every mistake at once', () => {
    const wrong = { dir: '', clock: {}, path: 'x' } as unknown as EmbeddedIdempotencyOptions
    const issues = ['path', 'dir', 'clock'].map((path) => expect.objectContaining({ path }))
    expect(() => embeddedIdempotency(wrong)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', issues }))
  })
})
