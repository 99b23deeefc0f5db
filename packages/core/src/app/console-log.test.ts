import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../testing/manual-clock.ts'
import { type ConsoleLogOptions, consoleLog } from './console-log.ts'

function logging(options: ConsoleLogOptions = {}) {
  const lines: string[] = []
  const log = consoleLog({ clock: manualClock(0), write: (line) => lines.push(line), format: 'json', ...options })
  return { log, lines }
}

describe('the console log', () => {
  it('writes one JSON object per line', () => {
    const { log, lines } = logging()
    log.info('started', { urls: ['http://x'] })
    expect(lines).toEqual([
      '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"started","urls":["http://x"]}\n',
    ])
  })

  it('writes text for people', () => {
    const { log, lines } = logging({ format: 'text' })
    log.warn('breaker opened', { target: 'shop.Stock/check', calls: 5, note: 'two words', none: undefined })
    expect(lines).toEqual([
      '1970-01-01T00:00:00.000Z WARN  breaker opened target=shop.Stock/check calls=5 note="two words"\n',
    ])
  })

  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['silent', []],
  ] as const)('tells from level %s on', (level, told) => {
    const { log, lines } = logging({ level })
    log.debug('')
    log.info('')
    log.warn('')
    log.error('')
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(told)
  })

  it('shows errors with code, issues and causes', () => {
    const { log, lines } = logging()
    const cause = new TypeError('inner')
    const issues = [{ path: 'a', message: 'b' }]
    log.error('failed', { error: new PosthasteError('INTERNAL', 'outer', { cause, issues }) })
    expect(JSON.parse(lines[0] as string).error).toMatchObject({
      code: 'INTERNAL',
      message: '[INTERNAL] outer',
      issues,
      stack: expect.stringContaining('console-log.test'),
      cause: { name: 'TypeError', message: 'inner' },
    })
  })

  it.each(['json', 'text'] as const)('keeps a message one line, whatever it holds, as %s', (format) => {
    const { log, lines } = logging({ format })
    log.info('a\nb\r\nc\u2028d', { text: 'x\ny', error: new Error('one\ntwo') })
    expect(lines).toHaveLength(1)
    expect(lines[0]?.trimEnd()).not.toMatch(/[\r\n]/)
  })

  it('does not let a field pass for the message or the level', () => {
    const { log, lines } = logging()
    log.info('real', { message: 'forged', level: 'error', time: 'never' })
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      message: 'real',
      level: 'info',
      time: '1970-01-01T00:00:00.000Z',
    })
  })

  it('never throws over what JSON cannot carry', () => {
    const { log, lines } = logging()
    const circle: Record<string, unknown> = {}
    circle.self = circle
    log.info('odd', { big: 5n })
    log.info('odd', circle)
    expect(JSON.parse(lines[0] as string)).toMatchObject({ big: '5' })
    expect(lines).toHaveLength(2)
  })

  it('lists every wrong option', () => {
    expect(() => consoleLog({ level: 'loud', colour: true } as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [
          { path: 'consoleLog.colour', message: expect.any(String) },
          { path: 'consoleLog.level', message: expect.any(String) },
        ],
      }),
    )
  })
})
