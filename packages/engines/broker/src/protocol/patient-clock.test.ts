import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { systemClock } from 'posthaste/pipeline'
import { expect, it, onTestFinished } from 'vitest'
import { patient } from './patient-clock.ts'

it('fires behind what has come while the process stood still', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown]
  onTestFinished(() => {
    client.destroy()
    accepted.destroy()
    server.close()
  })
  const seen: string[] = []
  client.on('data', () => seen.push('data'))
  const { promise, resolve } = Promise.withResolvers<void>()
  systemClock.setTimer(5, () => seen.push('timer'))
  patient(systemClock).setTimer(5, () => {
    seen.push('patient timer')
    resolve()
  })
  accepted.write('x')
  const beganAtMs = systemClock.monotonicMs()
  while (systemClock.monotonicMs() - beganAtMs < 30);
  await promise
  expect(seen).toEqual(['timer', 'data', 'patient timer'])
})

it('tells the same times, and takes timers back, also those that are about to fire', async () => {
  const due: (() => void)[] = []
  let cancelled = 0
  const clock = patient({
    nowMs: () => 1,
    monotonicMs: () => 2,
    setTimer(_, fire) {
      due.push(fire)
      return { cancel: () => void cancelled++ }
    },
  })
  const fired: string[] = []
  clock.setTimer(10, () => fired.push('kept'))
  const other = clock.setTimer(10, () => fired.push('taken back'))
  for (const fire of due) fire()
  other.cancel()
  expect([fired, cancelled]).toEqual([[], 1])
  await new Promise<void>((resolve) => setImmediate(resolve))
  expect([fired, clock.nowMs(), clock.monotonicMs()]).toEqual([['kept'], 1, 2])
})
