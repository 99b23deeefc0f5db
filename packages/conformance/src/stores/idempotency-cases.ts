import assert from 'node:assert/strict'
import type { IdempotencyStore } from '@posthaste/contracts'
import { modelCase } from './idempotency-model.ts'
import { claimed, claimOf, leaseMs, newKey, type StoreCase } from './store-case.ts'

const other = { fingerprint: 'b'.repeat(64) }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const done = (text: string) => ({ result: bytes(text), ttlMs: leaseMs })

async function stateOf(store: IdempotencyStore, key: string, wish = {}): Promise<string> {
  return (await store.claim(claimOf(key, wish))).state
}

/** A key is done, with a result. */
async function expectDone(store: IdempotencyStore, key: string, result: Uint8Array): Promise<void> {
  const state = await store.claim(claimOf(key))
  assert.equal(state.state, 'done')
  if (state.state === 'done') assert.equal(Buffer.compare(state.result, result), 0, 'the result is another')
}

const claiming: readonly StoreCase[] = [
  {
    title: 'gives a key to the first who claims it, and tells others when the claim lapses',
    async run({ stores: [store] }) {
      const key = newKey()
      await claimed(store, key)
      const state = await store.claim(claimOf(key))
      assert.equal(state.state, 'inFlight')
      if (state.state === 'inFlight') assert.ok(state.retryAfterMs > leaseMs / 2 && state.retryAfterMs <= leaseMs)
    },
  },
  {
    title: 'gives a key that many claim at a time to exactly one of them',
    async run({ stores }) {
      const key = newKey()
      const claims = Array.from({ length: 50 }, (_, n) => stores[n % stores.length]?.claim(claimOf(key)))
      const states = (await Promise.all(claims)).map((state) => state?.state)
      assert.deepEqual(
        [states.filter((s) => s === 'fresh').length, states.filter((s) => s === 'inFlight').length],
        [1, 49],
      )
    },
  },
  {
    title: 'gives a key that many claim at a time, after a claim has lapsed, to exactly one of them',
    async run({ stores, advance }) {
      const key = newKey()
      await claimed(stores[0], key)
      await advance(leaseMs)
      const claims = Array.from({ length: 50 }, (_, n) => stores[n % stores.length]?.claim(claimOf(key)))
      const states = (await Promise.all(claims)).map((state) => state?.state)
      assert.equal(states.filter((s) => s === 'fresh').length, 1)
    },
  },
  {
    title: 'tells a request that is another one from the one that is under way, and from the one that was done',
    async run({ stores: [store] }) {
      const key = newKey()
      const token = await claimed(store, key)
      assert.equal(await stateOf(store, key, other), 'mismatch')
      assert.equal(await store.complete(key, token, done('x')), true)
      assert.equal(await stateOf(store, key, other), 'mismatch')
      await expectDone(store, key, bytes('x'))
    },
  },
  {
    title: 'tells keys apart, whatever is in them, up to 512 characters',
    async run({ stores: [store] }) {
      const base = newKey()
      const odd = [
        '',
        ' ',
        '\0',
        '\n',
        "'",
        '"',
        '%',
        '_',
        '*',
        '{}',
        '\\',
        '€',
        '😀',
        '\u0000a',
        'A',
        'a',
        '\ud800',
        '\ud801',
      ]
      const long = ['€'.repeat(511 - base.length), 'x'.repeat(511 - base.length)]
      const keys = [...odd, ...long].map((end) => `${base}/${end}`)
      for (const [n, key] of keys.entries()) {
        assert.equal(await store.complete(key, await claimed(store, key), done(String(n))), true)
      }
      for (const [n, key] of keys.entries()) await expectDone(store, key, bytes(String(n)))
    },
  },
]

const completing: readonly StoreCase[] = [
  {
    title: 'gives results back byte by byte, small ones, large ones and empty ones, to everybody',
    async run({ stores }) {
      const all = Uint8Array.from({ length: 256 }, (_, n) => n)
      for (const result of [all, new Uint8Array(0), new Uint8Array(1024 ** 2).fill(7)]) {
        const key = newKey()
        const token = await claimed(stores[0], key)
        assert.equal(await stores[0].complete(key, token, { result, ttlMs: leaseMs }), true)
        for (const store of stores) await expectDone(store, key, result)
      }
    },
  },
  {
    title: 'forgets a result when its time is over, and not when the lease would have lapsed',
    async run({ stores: [store], advance }) {
      const key = newKey()
      await store.complete(key, await claimed(store, key, { leaseMs: 60_000 }), done('x'))
      await advance(300_000)
      await expectDone(store, key, bytes('x'))
      await advance(300_000)
      assert.equal(await stateOf(store, key, other), 'fresh')
    },
  },
  {
    title: 'keeps the first result where a claim is completed twice',
    async run({ stores: [store] }) {
      const key = newKey()
      const token = await claimed(store, key)
      assert.equal(await store.complete(key, token, done('first')), true)
      assert.equal(await store.complete(key, token, done('second')), true)
      await expectDone(store, key, bytes('first'))
    },
  },
  {
    title: 'keeps a result after the lease, if nobody has taken the key, and still knows what was asked for',
    async run({ stores: [store], advance }) {
      const key = newKey()
      const token = await claimed(store, key)
      await advance(leaseMs)
      assert.equal(await store.complete(key, token, done('late')), true)
      await expectDone(store, key, bytes('late'))
      assert.equal(await stateOf(store, key, other), 'mismatch')
    },
  },
  {
    title: 'keeps a result after the lease, if another had taken the key and is gone as well',
    async run({ stores: [store], advance }) {
      for (const isReleased of [true, false]) {
        const key = newKey()
        const late = await claimed(store, key)
        await advance(leaseMs)
        const token = await claimed(store, key, other)
        if (isReleased) await store.release(key, token)
        else await advance(leaseMs)
        assert.equal(await store.complete(key, late, done('late')), true)
        await expectDone(store, key, bytes('late'))
      }
    },
  },
  {
    title: 'refuses a result after the lease, if another has taken the key: theirs stands',
    async run({ stores, advance }) {
      const [store, second = store] = stores
      const key = newKey()
      const late = await claimed(store, key)
      await advance(leaseMs)
      const token = await claimed(second, key)
      assert.notEqual(token, late)
      assert.equal(await store.complete(key, late, done('late')), false)
      assert.equal(await stateOf(store, key), 'inFlight')
      assert.equal(await second.complete(key, token, done('in time')), true)
      assert.equal(await store.complete(key, late, done('late')), false)
      await expectDone(store, key, bytes('in time'))
    },
  },
]

const releasing: readonly StoreCase[] = [
  {
    title: 'lets anybody claim a key that was given up, for anything',
    async run({ stores: [store] }) {
      const key = newKey()
      await store.release(key, await claimed(store, key))
      assert.equal(await stateOf(store, key, other), 'fresh')
    },
  },
  {
    title: 'lets anybody claim a key whose lease has lapsed, for anything',
    async run({ stores: [store], advance }) {
      const key = newKey()
      await claimed(store, key)
      await advance(leaseMs)
      assert.equal(await stateOf(store, key, other), 'fresh')
    },
  },
  {
    title: 'gives up nothing that was done, nothing that another holds, and nothing that is not there',
    async run({ stores: [store], advance }) {
      const key = newKey()
      const token = await claimed(store, key)
      await store.complete(key, token, done('x'))
      await store.release(key, token)
      await expectDone(store, key, bytes('x'))
      const taken = newKey()
      const late = await claimed(store, taken)
      await store.release(newKey(), late)
      await advance(leaseMs)
      await claimed(store, taken)
      await store.release(taken, late)
      assert.equal(await stateOf(store, taken), 'inFlight')
    },
  },
]

/** What every store of results must do. Hold each of them against a store, with a test framework of your own. */
export const idempotencyStoreCases: readonly StoreCase[] = [...claiming, ...completing, ...releasing, modelCase]
