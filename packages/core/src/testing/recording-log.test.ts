import { expect, it } from 'vitest'
import { recordingLog } from './recording-log.ts'

it('remembers what was logged, in order, with level and fields', () => {
  const log = recordingLog()
  log.debug('a')
  log.info('b', { n: 1 })
  log.warn('c')
  log.error('d', { error: 'x' })
  expect(log.entries).toEqual([
    { level: 'debug', message: 'a', fields: {} },
    { level: 'info', message: 'b', fields: { n: 1 } },
    { level: 'warn', message: 'c', fields: {} },
    { level: 'error', message: 'd', fields: { error: 'x' } },
  ])
})
