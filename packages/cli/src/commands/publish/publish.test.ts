import type { BrowsedRecord } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { lessCapable, type Rig, rig } from '../../../test/rig.ts'
import { linesOf } from './input.ts'

async function stored(of: Rig, channel = 'facts'): Promise<readonly BrowsedRecord[]> {
  return of.with(async (engine) => (await engine.browsing!.browse({ channel, limit: 100 })).records)
}

const declare = ['--declare', 'log', '--keep', '7d']

describe('publish', () => {
  it('makes a message of what stands on the command line, and says its id', async () => {
    const cli = rig()
    const words = ['publish', 'facts', '{"a":1}', '--key', 'k', '--header', 'region=eu', ...declare]
    const { code, out } = await cli.run(words)
    expect(code).toBe(0)
    const [{ record } = expect.fail()] = await stored(cli)
    expect(out).toBe(`${record.id}\n`)
    expect(record).toMatchObject({
      key: 'k',
      headers: { type: 'facts', source: '/posthaste-cli', datacontenttype: 'application/json', region: 'eu' },
    })
    expect(Buffer.from(record.body).toString()).toBe('{"a":1}')
  })

  it('takes the data from standard input where there is none, without the line feed at its end', async () => {
    const cli = rig()
    await cli.run(['publish', 'facts', '--content-type', 'text/plain', ...declare], { stdin: 'two\nlines\r\n' })
    expect((await stored(cli)).map(({ record }) => Buffer.from(record.body).toString())).toEqual(['two\nlines'])
  })

  it('makes a message of each line, in their order, and tells which could not be', async () => {
    const cli = rig()
    const { code, out, err } = await cli.run(['publish', 'facts', '--ndjson', '--json', ...declare], {
      stdin: '1\n\n"zwei ä"\nbad\n4',
    })
    expect(code).toBe(1)
    expect(JSON.parse(out)).toEqual({ channel: 'facts', published: 3, failed: 1 })
    expect(err).toMatch(/^line 4: \[BODY_MALFORMED\]/)
    expect((await stored(cli)).map(({ record }) => Buffer.from(record.body).toString())).toEqual(['1', '"zwei ä"', '4'])
  })

  it('keeps the order of more lines than one batch takes', async () => {
    const cli = rig()
    const stdin = Array.from({ length: 2_345 }, (_, at) => `${at}\n`).join('')
    const { out } = await cli.run(['publish', 'facts', '--ndjson', '--in-flight', '2', ...declare], { stdin })
    expect(out).toBe('2,345 messages published\n')
    const bodies = await cli.with(async (engine) => {
      const { records } = await engine.browsing!.browse({ channel: 'facts', limit: 10_000 })
      return records.map(({ record }) => Number(Buffer.from(record.body).toString()))
    })
    expect(bodies).toEqual(Array.from({ length: 2_345 }, (_, at) => at))
  })

  it('publishes again what tail has printed, under its own ids', async () => {
    const cli = rig()
    await cli.run(['publish', 'facts', '{"a":1}', '--id', 'm1', '--key', 'k', ...declare])
    const { out: stdin } = await cli.run(['tail', 'facts', '--no-follow', '--json'])
    expect((await cli.run(['publish', 'copies', '--records', ...declare], { stdin })).code).toBe(0)
    const [{ record } = expect.fail()] = await stored(cli, 'copies')
    expect(record).toMatchObject({ id: 'm1', key: 'k', channel: 'copies', headers: { type: 'copies' } })
  })

  it('has what is delayed come later', async () => {
    const cli = rig()
    await cli.run(['publish', 'facts', '1', '--id', 'later', '--delay', '10m', ...declare])
    expect(await stored(cli)).toEqual([])
    expect(await cli.with((engine) => engine.scheduling!.dueAt('facts', 'later'))).toBeGreaterThan(0)
  })

  it.each([
    [['--ndjson', '--records'], 'exclude each other'],
    [['{}', '--file', 'x'], 'both data and where to take it from'],
    [['{}', '--delay', '1s', '--at', '+1s'], '--delay and --at exclude each other'],
    [['{}', '--keyed'], '--keyed is for --declare'],
    [['{}', '--keep', '1d', '--declare', 'queue'], '--keep is for --declare log'],
    [['--ndjson', '--id', 'm'], '--id names one message'],
    [['{'], 'the data is not JSON'],
    [['{}', '--header', 'Region=eu'], '--header must be name=value'],
    [['{}', '--header', 'id=1'], '--header must be name=value'],
    [['{}', '--header', 'source='], 'not a CloudEvent'],
  ])('refuses %j', async (words, message) => {
    const cli = rig()
    const { code, err } = await cli.run(['publish', 'facts', ...words])
    expect(err).toContain(message)
    expect(code).toBe(2)
  })

  it.each([
    [{ history: 'none' } as const, declare, 'keeps no messages that are done'],
    [{ delay: 'none' } as const, ['--declare', 'log', '--delay', '1s'], 'cannot deliver later'],
  ])('refuses what the engine cannot, before anything is published: %j', async (less, words, message) => {
    const cli = rig((engine) => lessCapable(engine, less))
    const { code, err } = await cli.run(['publish', 'facts', '1', ...words])
    expect({ code, err }).toMatchObject({ code: 6, err: expect.stringContaining(message) })
  })

  it('fails with 3 where there is no channel, and with 7 where it is otherwise than declared', async () => {
    const cli = rig()
    expect(await cli.run(['publish', 'facts', '1'])).toMatchObject({
      code: 3,
      err: '[NOT_FOUND] there is no channel facts\nCorrect the name, or make the channel with --declare log or --declare queue.\n',
    })
    await cli.run(['publish', 'facts', '1', '--declare', 'queue'])
    const other = await cli.run(['publish', 'facts', '1', '--declare', 'log'])
    expect(other).toMatchObject({ code: 7, err: expect.stringContaining('kind is to be log, but is queue') })
  })

  it('says of a log that it makes what it keeps, where that is nothing yet', async () => {
    const cli = rig()
    const told = 'facts keeps only what its groups still need, and has none yet; --keep 7d would keep more\n'
    expect(await cli.run(['publish', 'facts', '1', '--declare', 'log'])).toMatchObject({ code: 0, err: told })
    expect(await cli.run(['publish', 'facts', '2', '--declare', 'log'])).toMatchObject({ code: 0, err: '' })
    expect(await cli.run(['publish', 'others', '1', ...declare])).toMatchObject({ code: 0, err: '' })
    expect(await cli.run(['publish', 'work', '1', '--declare', 'queue'])).toMatchObject({ code: 0, err: '' })
  })
})

describe('lines', () => {
  it('are the same however the bytes are cut, also within a letter', async () => {
    const bytes = Buffer.from('{"ä":1}\n\n€uro\nend')
    for (let size = 1; size <= bytes.length; size += 1) {
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
      }
      const lines: unknown[] = []
      for await (const line of linesOf(pieces())) lines.push(line)
      expect(lines).toEqual([
        { number: 1, text: '{"ä":1}' },
        { number: 3, text: '€uro' },
        { number: 4, text: 'end' },
      ])
    }
  })
})
