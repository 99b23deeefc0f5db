import { event, retryLater } from '@posthaste/contracts'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { PartitionedBroker } from '../../test/bus/partitioned/broker.ts'
import { manualClock } from '../testing/manual-clock.ts'
import { recordingLog } from '../testing/recording-log.ts'
import { posthaste } from './posthaste.ts'

const Created = event('shop.order.created', {
  data: z.object({ orderNo: z.string(), step: z.number() }),
  key: ({ orderNo }) => orderNo,
})

it('an application completes an engine with key ranges: what fails is tried again in the order of its key', async () => {
  const clock = manualClock()
  const engine = new PartitionedBroker({ clock }).connect()
  const app = posthaste({ name: 'shop', clock, log: recordingLog(), signals: false, engine })
  onTestFinished(() => app.close())
  const handled: string[] = []
  app.on(Created, { group: 'points', retry: { immediate: 0 } }, ({ orderNo, step }, { attempt }) => {
    if (orderNo === 'bad' && step === 1 && attempt < 3) throw retryLater('not yet', { afterMs: 1_000 })
    handled.push(`${orderNo} ${step} (${attempt})`)
  })
  await app.start()
  for (const step of [1, 2]) {
    for (const orderNo of ['bad', 'good']) await app.publish(Created, { orderNo, step })
  }
  await clock.advance(500)
  expect(handled.toSorted()).toEqual(['good 1 (1)', 'good 2 (1)'])
  await clock.advance(5_000)
  expect(handled.slice(2)).toEqual(['bad 1 (3)', 'bad 2 (1)'])
})
