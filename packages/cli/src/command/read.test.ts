import { describe, expect, it } from 'vitest'
import { command } from './command.ts'
import { flag, integer, requiredText, text, texts } from './options.ts'
import { readLine } from './read.ts'

const seek = command({
  name: 'seek',
  about: '',
  details: [],
  args: { channel: requiredText('x'), ids: texts('x') },
  options: {
    group: text('x', { variable: 'GROUP' }),
    limit: integer('x', { min: 1, max: 5, fallback: 2 }),
    header: texts('x'),
    yes: flag('x'),
  },
  examples: [],
  run: async () => 0,
})

const read = (words: readonly string[], env = {}) => readLine(seek, words, env)
const issuesOf = (words: readonly string[]): readonly string[] => {
  try {
    read(words)
    return []
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', remedy: 'See posthaste help seek.' })
    return (error as { issues: readonly { path: string; message: string }[] }).issues.map(
      ({ path, message }) => `${path} ${message}`,
    )
  }
}

describe('a command line', () => {
  it('has options before, between and behind its arguments, in all spellings', () => {
    const words = ['-y', 'c', '--group=g', 'one', '-n', '3', 'two', '--header', 'a=1', '--header', 'b=2']
    expect(read(words)).toEqual({
      args: { channel: 'c', ids: ['one', 'two'] },
      options: { group: 'g', limit: 3, header: ['a=1', 'b=2'], yes: true },
    })
  })

  it('has everything for an argument behind --', () => {
    expect(read(['c', '--', '--yes']).args).toEqual({ channel: 'c', ids: ['--yes'] })
  })

  it('takes from the environment what it does not say', () => {
    expect(read(['c'], { GROUP: 'env' }).options).toMatchObject({ group: 'env' })
    expect(read(['c', '--group', 'own'], { GROUP: 'env' }).options).toMatchObject({ group: 'own' })
    expect(read(['c'], { GROUP: '' }).options).toMatchObject({ group: undefined })
  })

  it('is refused with every mistake at once', () => {
    expect(issuesOf(['--limt', '3', '--limit', '9', '--yes=no', '--group'])).toEqual([
      '--limt is not an option of it; did you mean --limit?',
      '--yes takes no value',
      '--group needs a value: --group <text>',
      "--limit must be a whole number from 1 to 5, not '9'",
    ])
  })

  it('takes no option for the value of the one before, and nothing twice', () => {
    expect(issuesOf(['c', '--group', '--yes'])).toEqual(['--group needs a value; write --group=--yes if that is it'])
    expect(issuesOf(['c', '--group', 'a', '--group', 'b'])).toEqual(['--group is given more than once'])
    expect(read(['c', '--group=--yes']).options).toMatchObject({ group: '--yes' })
  })

  it('does not fall for names that every object has', () => {
    expect(issuesOf(['c', '--constructor'])).toEqual(['--constructor is not an option of it'])
  })

  it('needs what must be given, and no more than that', () => {
    const one = command({ ...seek, args: { channel: requiredText('x') } })
    expect(issuesOf([])).toEqual(['<channel> is missing'])
    expect(() => readLine(one, ['c', 'd'], {})).toThrow("'d' is one argument too many")
  })
})
