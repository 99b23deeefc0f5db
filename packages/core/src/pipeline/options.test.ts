import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import {
  checkTogether,
  checkWithin,
  choiceOption,
  durationOption,
  flagOption,
  functionOption,
  integerOption,
  numberOption,
  type OptionsSpec,
  optional,
  readOptions,
  refuseOptions,
  required,
  soundOptions,
} from './options.ts'

interface Settings {
  readonly attempts: number
  readonly factor: number
  readonly baseMs: number
  readonly maxMs: number
  readonly jitter: boolean
  readonly repeat: 'safe' | 'always'
  readonly when: () => boolean
  readonly timeoutMs: number | undefined
}

const when = (): boolean => true

const spec: OptionsSpec<Settings> = {
  options: {
    attempts: integerOption(3, { min: 1, max: 10 }),
    factor: numberOption(2, { min: 1, max: 5 }),
    baseMs: durationOption(50),
    maxMs: durationOption(100, { max: 1_000 }),
    jitter: flagOption(true),
    repeat: choiceOption('safe', ['safe', 'always']),
    when: functionOption(when),
    timeoutMs: optional(durationOption(0, { min: 1 })),
  },
  together: ({ baseMs, maxMs }) =>
    baseMs <= maxMs ? [] : [{ path: 'retry.maxMs', message: 'must not be below baseMs' }],
}

function issuesOf(given: unknown): readonly string[] {
  try {
    readOptions('retry', given, spec)
  } catch (error) {
    if (PosthasteError.is(error, 'CONFIG_INVALID')) return error.issues.map(({ path, message }) => `${path} ${message}`)
  }
  return []
}

describe('readOptions', () => {
  it('fills in the defaults of what is left out or undefined', () => {
    expect(readOptions('retry', { factor: undefined }, spec)).toEqual({
      attempts: 3,
      factor: 2,
      baseMs: 50,
      maxMs: 100,
      jitter: true,
      repeat: 'safe',
      when,
      timeoutMs: undefined,
    })
  })

  it('keeps what is given, up to both bounds', () => {
    const given = { attempts: 1, factor: 5, baseMs: 0, maxMs: 1_000, jitter: false, repeat: 'always', timeoutMs: 1 }
    expect(readOptions('retry', given, spec)).toMatchObject(given)
  })

  it('reports every mistake at once, with the path and what was expected', () => {
    const given = {
      attempts: 1.5,
      factor: 0,
      baseMs: Number.NaN,
      maxMs: Infinity,
      jitter: 'yes',
      repeat: 'never',
      when: 1,
      timeoutMs: 0,
      attemps: 3,
    }
    expect(issuesOf(given)).toEqual([
      'retry.attemps is not an option; there are attempts, factor, baseMs, maxMs, jitter, repeat, when, timeoutMs',
      'retry.attempts must be a whole number from 1 to 10, not 1.5',
      'retry.factor must be a number from 1 to 5, not 0',
      'retry.baseMs must be milliseconds from 0 to 2147483647, not NaN',
      'retry.maxMs must be milliseconds from 0 to 1000, not Infinity',
      "retry.jitter must be true or false, not 'yes'",
      "retry.repeat must be one of 'safe', 'always', not 'never'",
      'retry.when must be a function, not 1',
      'retry.timeoutMs must be milliseconds from 1 to 2147483647, not 0',
    ])
  })

  it('refuses options that are no object', () => {
    expect(issuesOf(true)).toEqual(['retry must be an object of options, not true'])
    expect(issuesOf([])).toEqual(['retry must be an object of options, not an array'])
    expect(issuesOf(null)).toEqual(['retry must be an object of options, not null'])
  })

  it('does not take an inherited name for an option', () => {
    expect(issuesOf({ toString: 1 })).toHaveLength(1)
  })

  it('compares options with each other once each is right', () => {
    expect(issuesOf({ baseMs: 200 })).toEqual(['retry.maxMs must not be below baseMs'])
    expect(issuesOf({ baseMs: 200, attempts: 0 })).toHaveLength(1)
  })

  it('asks for what must be given', () => {
    const read = (given: object): unknown =>
      readOptions('timeout', given, { options: { timeoutMs: required(durationOption(0)) } })
    expect(() => read({})).toThrow('timeout.timeoutMs is missing; it must be milliseconds')
    expect(read({ timeoutMs: 5 })).toEqual({ timeoutMs: 5 })
  })

  it('shows long values shortened', () => {
    expect(issuesOf({ repeat: 'x'.repeat(500) })[0]?.length).toBeLessThan(150)
  })
})

describe('checkTogether', () => {
  const wrong = (path: string) => (): never => {
    refuseOptions([{ path, message: 'is wrong' }])
    throw new Error('unreachable')
  }

  it('gives the results in order', () => {
    expect(checkTogether([() => 1, () => 2])).toEqual([1, 2])
  })

  it('reports the mistakes of every step in one error', () => {
    expect(() => checkTogether([wrong('a'), () => 1, wrong('b')])).toThrow(
      expect.objectContaining({
        issues: [
          { path: 'a', message: 'is wrong' },
          { path: 'b', message: 'is wrong' },
        ],
      }),
    )
  })

  it('keeps the message of a configuration error that has no issues', () => {
    const step = (): never => {
      throw new PosthasteError('CONFIG_INVALID', 'no role x')
    }
    expect(() => checkTogether([step])).toThrow('no role x')
  })

  it('lets any other error through at once', () => {
    const fault = new Error('a fault')
    const step = (): never => {
      throw fault
    }
    expect(() => checkTogether([wrong('a'), step])).toThrow(fault)
  })
})

describe('soundOptions', () => {
  it('takes what is right, and defaults in place of all else', () => {
    const given = { attempts: 5, factor: 0, baseMs: 'x', jitter: false, other: 1 }
    expect(soundOptions(given, spec)).toEqual({ ...readOptions('x', {}, spec), attempts: 5, jitter: false })
    expect(soundOptions('nonsense', spec)).toEqual(readOptions('x', {}, spec))
  })
})

describe('checkWithin', () => {
  it('says where the options stand that are wrong', () => {
    const issues = (path: string) => expect.objectContaining({ issues: [{ path, message: 'is wrong' }] })
    const wrong = (path: string) => () => refuseOptions([{ path, message: 'is wrong' }])
    expect(() => checkWithin('client(a)', wrong('retry.attempts'))).toThrow(issues('client(a).retry.attempts'))
    expect(() => checkWithin('client(a)', wrong(''))).toThrow(issues('client(a)'))
    expect(checkWithin('client(a)', () => 7)).toBe(7)
  })

  it('leaves any other error as it is', () => {
    for (const fault of [new Error('a fault'), new PosthasteError('CONFIG_INVALID', 'no role x')]) {
      const step = (): never => {
        throw fault
      }
      expect(() => checkWithin('client(a)', step)).toThrow(fault)
    }
  })
})
