import { createCall } from 'posthaste/pipeline'
import { expect, it } from 'vitest'
import { workerPool } from './worker-pool.ts'

it('runs so many at a time, and the others in the order in which they came', async () => {
  const pool = workerPool(2)
  const begun: string[] = []
  const ends: (() => void)[] = []
  const run = (id: string) =>
    pool.apply(createCall({ kind: 'serve', target: 't', id, payload: undefined }), ({ id: running }) => {
      begun.push(running)
      return new Promise<string>((resolve) => ends.push(() => resolve(running)))
    })
  const results = ['a', 'b', 'c', 'd'].map(run)
  await expect.poll(() => begun).toEqual(['a', 'b'])
  expect(pool.snapshot?.()).toEqual({ role: 'workers', free: 0, waiting: 2 })
  ends[1]!()
  await expect.poll(() => begun).toEqual(['a', 'b', 'c'])
  ends[0]!()
  ends[2]!()
  await expect.poll(() => begun).toEqual(['a', 'b', 'c', 'd'])
  ends[3]!()
  expect(await Promise.all(results)).toEqual(['a', 'b', 'c', 'd'])
})

it('has the worker back from a request that failed', async () => {
  const pool = workerPool(1)
  const call = createCall({ kind: 'serve', target: 't', id: '1', payload: undefined })
  await expect(
    pool.apply(call, () => {
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  expect(await pool.apply(call, () => 'yes')).toBe('yes')
})
