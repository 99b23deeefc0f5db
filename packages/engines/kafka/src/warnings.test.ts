import { expect, it } from 'vitest'
import { named } from './warnings.ts'

it('names three topics at most, and says how many more there are', () => {
  const topics = (count: number) => Array.from({ length: count }, (_, at) => [`t${at}`] as const)
  expect(named(topics(3))).toEqual({ topics: ['t0', 't1', 't2'] })
  expect(named(topics(36))).toEqual({ topics: ['t0', 't1', 't2'], more: 33 })
})
