import { describe, expect, it } from 'vitest'
import { recordingLog } from '../testing/recording-log.ts'
import { LifeCycle, type Part } from './life-cycle.ts'

/** Parts a, b and c that record what is done to them, with what a test puts in their place. */
function living(parts: Partial<Record<'a' | 'b' | 'c', Partial<Part>>> = {}, check = (): void => {}) {
  const done: string[] = []
  let nowMs = 0
  const log = recordingLog()
  const life = new LifeCycle({
    parts: (['a', 'b', 'c'] as const).map((name) => ({
      name,
      async start() {
        done.push(`start ${name}`)
        await parts[name]?.start?.()
      },
      async close(graceMs) {
        done.push(`close ${name} ${graceMs}`)
        nowMs += 30
        await parts[name]?.close?.(graceMs)
      },
    })),
    check,
    graceMs: 50,
    monotonicMs: () => nowMs,
    log,
  })
  return { life, done, log }
}

const failing = (message: string) => ({ start: () => Promise.reject(new Error(message)) })

describe('a life', () => {
  it('starts in order and closes in reverse, with one grace for all', async () => {
    const { life, done } = living()
    expect(life.state).toBe('new')
    await life.start()
    expect(life.state).toBe('running')
    await life.close()
    expect(life.state).toBe('closed')
    expect(done).toEqual(['start a', 'start b', 'start c', 'close c 50', 'close b 20', 'close a 0'])
  })

  it('starts and closes once, however often it is told to', async () => {
    const { life, done } = living()
    await Promise.all([life.start(), life.start()])
    await Promise.all([life.close(), life.close()])
    await life.close()
    expect(done).toHaveLength(6)
  })

  it('starts nothing where the check fails', async () => {
    const { life, done } = living({}, () => {
      throw new Error('wrong')
    })
    await expect(life.start()).rejects.toThrow('wrong')
    expect(done).toEqual([])
    expect(life.state).toBe('closed')
  })

  it('closes what it has begun where a part fails to start, and tells of that failure', async () => {
    const { life, done } = living({ b: failing('no b'), a: { close: () => Promise.reject(new Error('no end')) } })
    await expect(life.start()).rejects.toThrow('no b')
    expect(done).toEqual(['start a', 'start b', 'close b 50', 'close a 20'])
    expect(life.state).toBe('closed')
    await life.close()
    expect(done).toHaveLength(4)
  })

  it('closes everything even where a part fails to close, tells the log, and throws the first failure', async () => {
    const { life, done, log } = living({
      c: { close: () => Promise.reject(new Error('c stuck')) },
      b: { close: () => Promise.reject(new Error('b stuck')) },
    })
    await life.start()
    await expect(life.close()).rejects.toThrow('c stuck')
    expect(done.slice(3).map((step) => step.slice(0, 7))).toEqual(['close c', 'close b', 'close a'])
    expect(log.entries.map(({ message }) => message)).toEqual(['c did not close cleanly', 'b did not close cleanly'])
    expect(life.state).toBe('closed')
  })

  it('starts no further part once it is told to close', async () => {
    const begun = Promise.withResolvers<void>()
    const ready = Promise.withResolvers<void>()
    const start = (): Promise<void> => {
      begun.resolve()
      return ready.promise
    }
    const { life, done } = living({ b: { start } })
    const refused = expect(life.start()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await begun.promise
    const closed = life.close()
    ready.resolve()
    await refused
    await closed
    expect(done).toEqual(['start a', 'start b', 'close b 50', 'close a 20'])
  })

  it('may end before it began, and does not begin after that', async () => {
    const { life, done } = living()
    await life.close()
    await expect(life.start()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(done).toEqual([])
  })
})
