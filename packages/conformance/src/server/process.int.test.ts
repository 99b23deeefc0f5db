import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { processStart } from './process.ts'

describe('the start of a process', () => {
  it('is the same whenever it is asked for', () => {
    expect(processStart(process.pid)).toMatch(/\S/)
    expect(processStart(process.pid)).toBe(processStart(process.pid))
  })

  it('differs between processes that were not started at once', () => {
    expect(processStart(process.pid)).not.toBe(processStart(1))
  })

  it('is unknown where no such process is', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    expect(processStart(child.pid!)).toBeUndefined()
  })
})
