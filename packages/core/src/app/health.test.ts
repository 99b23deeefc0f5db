import { expect, it } from 'vitest'
import { noCounts, type SubscriptionStanding } from '../bus/consuming/stats.ts'
import { type Health, healthOf } from './health.ts'

const subscription = (state: SubscriptionStanding) => ({
  ...noCounts(),
  channel: 'c',
  group: 'g',
  state,
  running: 0,
  unsettled: 0,
})
const running = {
  state: 'running',
  engine: { name: 'e', state: 'connected' },
  subscriptions: [subscription('running')],
} as const

it.each<[string, Omit<Health, 'status'>, Health['status']]>([
  ['everything works', running, 'ok'],
  ['there is no engine', { state: 'running', subscriptions: [] }, 'ok'],
  ['it does not run yet', { ...running, state: 'starting' }, 'failing'],
  ['it closes', { ...running, state: 'closing' }, 'failing'],
  ['the engine is lost', { ...running, engine: { name: 'e', state: 'lost' } }, 'failing'],
  ['the engine is degraded', { ...running, engine: { name: 'e', state: 'degraded' } }, 'degraded'],
  ['a subscription waits to begin again', { ...running, subscriptions: [subscription('waiting')] }, 'degraded'],
])('when %s', (...[, facts, status]) => {
  expect(healthOf(facts)).toEqual({ status, ...facts })
})
