import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import process from 'node:process'
import { embedded } from '@posthaste/embedded'
import { event, reject } from 'posthaste'
import { createBus } from 'posthaste/bus'
import { systemClock } from 'posthaste/pipeline'
import { silentLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { program } from '../test/program.ts'

// They wait for processes most of the time.
describe.concurrent('the posthaste program', () => {
  it('publishes, shows, lists and copies what an embedded engine has', async ({ onTestFinished }) => {
    const { dir, cli, start } = await program(onTestFinished)
    const missing = start(['channels', '--engine', 'embedded:./nothing'])
    const publishing = start(['publish', 'facts', '--ndjson', '--declare', 'log', '--keep', '1d'])
    publishing.give('{"n":1}\n{"n":2}\n')
    expect(await publishing.ended).toEqual({ code: 0, out: '2 messages published\n', err: '' })
    expect(await missing.ended).toMatchObject({ code: 3, err: expect.stringContaining('[NOT_FOUND]') })
    const file = join(dir, 'three.json')
    await writeFile(file, '{"n":3}\n')
    expect((await cli(['publish', 'facts', '--file', file, '--id', 'm3'])).out).toBe('m3\n')
    const { out } = await cli(['tail', 'facts', '--no-follow', '--json'])
    const lines = out.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { data: unknown }).data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    const copy = join(dir, 'copy')
    const copying = ['snapshot', relative(process.cwd(), copy)]
    expect((await cli(copying)).out).toBe(`the copy is in ${copy} on this machine\n`)
    expect((await cli(['channels', '--engine', `embedded:${copy}`])).out).toContain('facts')
    expect(await cli(copying)).toMatchObject({ code: 7, err: expect.stringContaining('is not empty') })
  })

  it('redrives dead letters and moves groups', async ({ onTestFinished }) => {
    const { dir, cli } = await program(onTestFinished)
    await letters(dir)
    expect((await cli(['dlq', 'list'])).out).toMatch(/facts\.noted +points +2\n/)
    expect(await cli(['dlq', 'redrive', 'facts.noted', '--all'])).toMatchObject({ code: 2 })
    expect(await cli(['dlq', 'redrive', 'facts.noted', 'm1', '--yes'])).toMatchObject({ code: 0 })
    expect((await cli(['lag', 'facts.noted', 'points', '--json'])).out).toContain('"ready": 1')
    expect((await cli(['seek', 'facts.noted', 'points', '--to', 'earliest', '--yes'])).code).toBe(0)
    expect(await cli(['lag', '--max', '1'])).toMatchObject({ code: 1 })
  })

  it('follows a broker until Ctrl-C, while others publish to it, and has both end in order', async ({
    onTestFinished,
  }) => {
    const { cli, start } = await program(onTestFinished)
    const broker = start(['broker', '--data', 'broker', '--listen', 'link://127.0.0.1:0', '--health-port', '0'])
    const url = await broker.says(/listens on (link:\S+?);/)
    const on = (...words: string[]) => cli([...words, '--engine', url])
    await on('publish', 'facts', '0', '--declare', 'log')
    const tail = start(['tail', 'facts', '--engine', url, '--json'])
    await tail.says(/following facts/)
    await on('publish', 'facts', '{"n":1}')
    await tail.says(/"data":\{"n":1\}/)
    tail.kill('SIGINT')
    expect(await tail.ended).toMatchObject({ code: 0 })
    expect((await on('groups', 'facts')).out).toBe('there are no groups\n')
    broker.kill('SIGINT')
    expect(await broker.ended).toMatchObject({ code: 0 })
  })

  it('has a broker copy its data for those who may ask, whose tokens it knows by their hashes', async ({
    onTestFinished,
  }) => {
    const { dir, cli, start } = await program(onTestFinished)
    const hashed = async (token: string): Promise<string> => {
      const { out } = await cli(['hash-token', '--json'], { stdin: `${token}\n` })
      return (JSON.parse(out) as { readonly hash: string }).hash
    }
    const keeper = { tokens: [await hashed('of the keeper')], rights: { publish: '**', manage: '**' } }
    const reader = { tokens: [await hashed('of the reader')], rights: { consume: '**' } }
    const configuration = { listen: 'link://127.0.0.1:0', health: false, users: { keeper, reader } }
    await writeFile(join(dir, 'broker.json'), JSON.stringify(configuration))
    const broker = start(['broker', '--config', 'broker.json', '--data', 'broker'])
    const url = await broker.says(/listens on (link:[^\s;]+)/)
    const as = (user: string, ...words: string[]) =>
      cli([...words, '--engine', url], { env: { POSTHASTE_TOKEN: `of the ${user}` } })

    expect(await as('keeper', 'publish', 'facts', '1', '--declare', 'log')).toMatchObject({ code: 0 })
    const directory = join(dir, 'broker.snapshots/first')
    const said = `the copy is in ${directory} on 127.0.0.1, the machine of the broker\n`
    expect(await as('keeper', 'snapshot', 'first')).toEqual({ code: 0, out: said, err: '' })
    expect((await cli(['channels', '--engine', `embedded:${directory}`])).out).toContain('facts')
    expect(await as('keeper', 'snapshot', 'first')).toMatchObject({ code: 7 })
    const { code, err } = await as('keeper', 'snapshot', './third')
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('Give the copy a name') })
    const second = { directory: join(dir, 'broker.snapshots/second'), host: '127.0.0.1' }
    expect(JSON.parse((await as('keeper', 'snapshot', 'second', '--json')).out)).toEqual(second)
    expect(await as('reader', 'snapshot', 'third')).toMatchObject({ code: 5 })
    expect(await as('nobody', 'snapshot', 'third')).toMatchObject({ code: 5 })
  })

  it('ends quietly where nobody reads its answer any more', async ({ onTestFinished }) => {
    const { cli, start } = await program(onTestFinished)
    const more = '"x"\n'.repeat(5_000)
    await cli(['publish', 'facts', '--ndjson', '--declare', 'log', '--keep', '1d'], { stdin: more })
    const tail = start(['tail', 'facts', '--no-follow'])
    tail.leave()
    expect(await tail.ended).toMatchObject({ code: 0, err: '' })
  })

  it('has a directory that another process owns be, and says so', async ({ onTestFinished }) => {
    const { cli, start } = await program(onTestFinished)
    const bench = start(['bench', '--messages', '100000000'])
    await bench.says(/publishing/)
    expect(await cli(['channels'])).toMatchObject({ code: 4, err: expect.stringContaining('[ENGINE_LOCKED]') })
  })

  it('writes completion for bash that bash understands, and that knows commands, options and values', async ({
    onTestFinished,
  }) => {
    const { cli } = await program(onTestFinished)
    const { out: script } = await cli(['completion', 'bash'])
    const completed = await bash(`${script}
      try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _posthaste; echo "\${COMPREPLY[@]}"; }
      try posthaste ta; try posthaste dlq re; try posthaste dlq redrive --al; try posthaste seek a b --to e; try posthaste completion z; try posthaste hash-token --j`)
    expect(completed).toEqual({ code: 0, out: 'tail\nredrive\n--all\nearliest\nzsh\n--json\n', err: '' })
  })
})

function bash(script: string): Promise<unknown> {
  return new Promise((resolve) => {
    const child = spawn('bash', ['--norc', '-c', script])
    const text = { out: '', err: '' }
    child.stdout.on('data', (chunk: Buffer) => (text.out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (text.err += chunk.toString()))
    child.on('close', (code) => resolve({ code, ...text }))
  })
}

/** Two messages that a group has rejected. */
async function letters(dir: string): Promise<void> {
  const Noted = event('facts.noted', { data: z.number(), retention: { forMs: 86_400_000 } })
  const engine = embedded({ dir: join(dir, 'data') })
  const host = { clock: systemClock, log: silentLog, instance: 'test', random: Math.random, onState() {} }
  await engine.open(host)
  const bus = createBus({ name: 'test', engine, clock: systemClock, log: silentLog, instance: 'test' })
  let rejected = 0
  const all = new Promise<void>((resolve) => {
    bus.on(Noted, { group: 'points', from: 'earliest' }, () => {
      rejected += 1
      if (rejected === 2) resolve()
      throw reject('no')
    })
  })
  await bus.start()
  for (const n of [1, 2]) await bus.publish(Noted, n, { id: `m${n}` })
  await all
  await bus.close()
  await engine.close()
}
