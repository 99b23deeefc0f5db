import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Link } from './link.ts'
import { judge, measureSkew, promiseOf } from './server.ts'
import { ServerTime } from './server-time.ts'

const safe = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' }

describe('a server', () => {
  it('that syncs each write and drops nothing is durable', () => {
    expect(judge(new Map(Object.entries(safe)))).toEqual({ durability: 'disk', warnings: [] })
  })

  it.each([
    ['appendonly', 'no', /memory alone/],
    ['appendfsync', 'everysec', /last second/],
    ['maxmemory-policy', 'allkeys-lru', /drops messages/],
  ])('whose %s is %s is not, and that is said', (setting, value, warning) => {
    const { durability, warnings } = judge(new Map(Object.entries({ ...safe, [setting]: value })))
    expect(durability).toBe('none')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(warning)
  })
})

/** A link to a server that answers so. */
const answering = (answers: Readonly<Record<string, unknown>>) =>
  ({
    async command(name: string, ...args: readonly string[]) {
      const answer = answers[[name, ...args].join(' ')] ?? answers[name]
      if (answer instanceof Error) throw answer
      return answer
    },
  }) as unknown as Link

describe('a server that is asked', () => {
  it('is believed where it does not tell its settings, and that is said', async () => {
    const refusal = new Error("NOPERM this user has no permissions to run the 'config|get' command")
    const promise = await promiseOf(answering({ INFO: 'redis_version:7.0.15', CONFIG: refusal }))
    expect(promise.durability).toBe('disk')
    expect(promise.warnings).toEqual([expect.stringContaining('NOPERM')])
  })

  it('tells them one by one', async () => {
    const settings = Object.entries(safe).map(([name, value]) => [`CONFIG GET ${name}`, [name, value]])
    const promise = await promiseOf(answering({ INFO: 'redis_version:7.0.15', ...Object.fromEntries(settings) }))
    expect(promise).toEqual({ durability: 'disk', warnings: [] })
  })

  it('is refused where it is too old', async () => {
    const asking = promiseOf(answering({ INFO: '# Server\r\nredis_version:5.0.7\r\n' }))
    await expect(asking).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringContaining('5.0') })
  })

  it('shows how far its clock is ahead', async () => {
    const clock = manualClock()
    const atMs = clock.nowMs() + 5_000
    const link = answering({ TIME: [String(Math.floor(atMs / 1_000)), String((atMs % 1_000) * 1_000)] })
    expect(await measureSkew(link, clock)).toEqual([5_000, 1])
  })
})

describe('the time of a server', () => {
  it('is ours where the difference is within its error', () => {
    const time = new ServerTime()
    time.measured(0.8, 1)
    expect([time.atServer(1_000), time.atHome(1_000)]).toEqual([1_000, 1_000])
  })

  it('is converted both ways where it differs', () => {
    const time = new ServerTime()
    time.measured(-5_000, 2)
    expect([time.atServer(10_000), time.atHome(5_000)]).toEqual([5_000, 10_000])
  })

  it('is never earlier than asked for, and 0 where nothing is', () => {
    const time = new ServerTime()
    expect(time.atServer(1_000.2)).toBe(1_001)
    expect(time.atServer(undefined)).toBe(0)
    expect(time.atServer(-5)).toBe(0)
  })
})
