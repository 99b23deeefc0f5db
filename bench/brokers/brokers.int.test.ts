import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { brokers } from '../embedded/brokers.ts'

describe.each(brokers)('$name', (broker) => {
  it.skipIf(broker.missing() !== undefined)('confirms, delivers, and knows when all is acknowledged', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'bench-broker-'))
    const running = await broker.start(dir)
    try {
      expect(running.version).toMatch(/^\d+\.\d+/)
      const queue = await running.open()
      await Promise.all(Array.from({ length: 100 }, (_, n) => queue.publish(Buffer.alloc(n, 'x'))))
      let handled = 0
      await queue.consume(() => handled++, 10)
      await expect.poll(() => handled, { timeout: 10_000 }).toBe(100)
      await expect.poll(() => queue.isDone(), { timeout: 10_000 }).toBe(true)
      await queue.close()
      const another = await running.open()
      await another.consume(() => handled++, 10)
      expect(await another.isDone()).toBe(true)
      await another.close()
      expect(handled).toBe(100)
    } finally {
      await running.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  })

  it('is measured, or says why not', () => {
    expect(broker.missing() ?? 'installed').toMatch(/^(installed|not installed|not in the installed version .*)$/)
  })
})
