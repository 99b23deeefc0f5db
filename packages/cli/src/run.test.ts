import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { failing, rig } from '../test/rig.ts'
import { commands } from './commands/commands.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { readerGone } from './run.ts'

describe('the program', () => {
  it.each([[[]], [['help']], [['--help']], [['-h']]])('tells of every command: %j', async (words) => {
    const { code, out } = await rig().run(words)
    expect(code).toBe(0)
    for (const { name } of commands) expect(out).toContain(`  ${name} `)
  })

  it.each(commands.map(({ name }) => name))('tells all about %s, in either way', async (name) => {
    const { code, out } = await rig().run(['help', ...name.split(' ')])
    expect(code).toBe(0)
    expect(out).toContain(`usage: posthaste ${name}`)
    expect((await rig().run([...name.split(' '), '--help'])).out).toBe(out)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(132)
  })

  it('tells of commands of two words by their first', async () => {
    for (const words of [
      ['help', 'dlq'],
      ['dlq', '--help'],
    ])
      expect((await rig().run(words)).out).toContain('dlq redrive')
  })

  it('tells its version', async () => {
    expect((await rig().run(['--version'])).out).toMatch(/^posthaste \d+\.\d+\.\d+, node /)
    expect(JSON.parse((await rig().run(['version', '--json'])).out)).toHaveProperty('posthaste')
  })

  it.each([
    [['publsh'], 'Did you mean publish?'],
    [['dlq', 'redirve'], 'Did you mean dlq redrive?'],
    [['dlq'], 'dlq list, dlq show'],
    [['help', 'tial'], 'Did you mean tail?'],
    [['--json', 'channels'], 'Put the command first'],
    [['tail', 'facts', '--limt', '1'], 'did you mean --limit?'],
    [['nonsense'], 'See posthaste help.'],
  ])('answers %j with what was meant', async (words, remedy) => {
    const { code, out, err } = await rig().run(words)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(remedy)
    expect(err).toMatch(/^\[INVALID_ARGUMENT\] /)
  })

  it('asks for an engine where none is named', async () => {
    const { code, err } = await rig().run(['channels'], { env: { POSTHASTE_ENGINE: '' } })
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/no engine is named\nGive --engine/) })
  })

  it('says what happened and what to do, hides secrets, and shows no stack unless asked', async () => {
    const error = new PosthasteError('UNAVAILABLE', 'amqp://me:geheim@host refused geheim', {
      cause: new Error('deep'),
    })
    const cli = rig(failing(error))
    const env = { POSTHASTE_ENGINE: 'amqp://me:geheim@host' }
    expect(await cli.run(['channels'], { env })).toEqual({
      ...{ code: 4, out: '' },
      err: '[UNAVAILABLE] amqp://me:***@host refused ***\nRetry with backoff.\n',
    })
    const { err } = await cli.run(['channels', '--debug'], { env })
    expect(err).toContain('caused by Error: deep')
    expect(err).toMatch(/\n {4}at /)
    expect(err).not.toContain('geheim')
  })

  it('has colours on a terminal alone, and not where they are unwanted', async () => {
    const cli = rig()
    await cli.with((engine) => engine.declare({ channels: [{ name: 'a', kind: 'log', keyed: false }], groups: [] }))
    const colour = '\u001b['
    expect((await cli.run(['channels'])).out).not.toContain(colour)
    expect((await cli.run(['channels'], { isTerminal: true })).out).toContain(colour)
    expect((await cli.run(['channels'], { isTerminal: true, env: { NO_COLOR: '1' } })).out).not.toContain(colour)
    expect((await cli.run(['channels', '--json'], { isTerminal: true })).out).not.toContain(colour)
  })

  it('ends with 130 where it was interrupted, and with 0 where only the reader has gone', async () => {
    const signal = (reason: string): AbortSignal => AbortSignal.abort(reason)
    expect(await rig().run(['channels'], { signal: signal('SIGINT') })).toEqual({ code: 130, out: '', err: '' })
    expect(await rig().run(['channels'], { signal: signal(readerGone) })).toEqual({ code: 0, out: '', err: '' })
  })
})

describe('exit codes', () => {
  it('are one for each error, which stands with one alone', () => {
    const listed = exitCodes.flatMap(({ errors }) => errors)
    expect(new Set(listed).size).toBe(listed.length)
    for (const { code, errors } of exitCodes) {
      for (const error of errors) expect(exitCodeOf(new PosthasteError(error, 'x'))).toBe(code)
    }
  })

  it('are 1 for whatever has none of its own', () => {
    expect([exitCodeOf(new Error('x')), exitCodeOf(new PosthasteError('INTERNAL', 'x'))]).toEqual([1, 1])
  })
})
