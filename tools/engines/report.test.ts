import { describe, expect, it } from 'vitest'
import { line } from './report.ts'

describe('the report of a server', () => {
  it('gives its addresses in one line', () => {
    const at = { url: 'redis://127.0.0.1:1', tlsUrl: 'rediss://127.0.0.1:2' }
    expect(line({ name: 'redis', state: 'running', version: '7.0.15', pid: 1, ...at })).toBe(
      'redis     running  7.0.15   redis://127.0.0.1:1 rediss://127.0.0.1:2',
    )
  })

  it('says what else there is to be said below', () => {
    expect(line({ name: 'nats-2.9', state: 'failed', note: 'not installed\n  - install Go' })).toBe(
      'nats-2.9  failed\n  not installed\n    - install Go',
    )
  })
})
