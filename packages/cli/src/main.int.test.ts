import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { embedded } from '@posthaste/embedded'
import { event, reject } from 'posthaste'
import { createBus } from 'posthaste/bus'
import { systemClock } from 'posthaste/pipeline'
import { silentLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'

const main = join(import.meta.dirname, 'main.ts')

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'posthaste-cli-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Starts the real program in its own directory. */
function start(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['--conditions=source', main, ...words], {
    cwd: dir,
    env: { ...process.env, POSTHASTE_ENGINE: 'embedded:./data', ...env },
  })
  const text = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (text.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text.err += chunk.toString()))
  child.stdin.on('error', () => {})
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, ...text })))
  const says = (wanted: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = wanted.exec(text.out + text.err)
        if (found !== null) resolve(found[1] ?? found[0])
      }
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      child.on('close', () => reject(new Error(`it ended: ${text.out}${text.err}`)))
      look()
    })
  return { child, ended, says }
}

function cli(words: readonly string[], stdin = ''): Promise<Ended> {
  const { child, ended } = start(words)
  child.stdin.end(stdin)
  return ended
}

describe('the posthaste program', () => {
  it('publishes, shows, lists and copies what an embedded engine has', async () => {
    expect(await cli(['channels'])).toMatchObject({ code: 3, err: expect.stringContaining('[NOT_FOUND]') })
    const words = ['publish', 'facts', '--ndjson', '--declare', 'log', '--keep', '1d']
    expect(await cli(words, '{"n":1}\n{"n":2}\n')).toEqual({ code: 0, out: '2 messages published\n', err: '' })
    await writeFile(join(dir, 'three.json'), '{"n":3}\n')
    expect((await cli(['publish', 'facts', '--file', 'three.json', '--id', 'm3'])).out).toBe('m3\n')
    const { out } = await cli(['tail', 'facts', '--no-follow', '--json'])
    const lines = out.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { data: unknown }).data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    expect((await cli(['snapshot', 'copy'])).out).toBe(`the copy is in ${join(dir, 'copy')}\n`)
    expect((await cli(['channels', '--engine', 'embedded:./copy'])).out).toContain('facts')
    expect(await cli(['snapshot', 'copy'])).toMatchObject({ code: 7, err: expect.stringContaining('is not empty') })
  })

  it('redrives dead letters and moves groups', async () => {
    await letters()
    expect((await cli(['dlq', 'list'])).out).toMatch(/facts\.noted +points +2\n/)
    expect(await cli(['dlq', 'redrive', 'facts.noted', '--all'])).toMatchObject({ code: 2 })
    expect(await cli(['dlq', 'redrive', 'facts.noted', 'm1', '--yes'])).toMatchObject({ code: 0 })
    expect((await cli(['lag', 'facts.noted', 'points', '--json'])).out).toContain('"ready": 1')
    expect((await cli(['seek', 'facts.noted', 'points', '--to', 'earliest', '--yes'])).code).toBe(0)
    expect(await cli(['lag', '--max', '1'])).toMatchObject({ code: 1 })
  })

  it('follows a broker until Ctrl-C, while others publish to it, and has both end in order', async () => {
    const broker = start(['broker', '--data', 'broker', '--listen', 'link://127.0.0.1:0', '--health-port', '0'])
    const url = await broker.says(/listens on (link:\S+?);/)
    const on = (...words: string[]) => cli([...words, '--engine', url])
    await on('publish', 'facts', '0', '--declare', 'log')
    const tail = start(['tail', 'facts', '--engine', url, '--json'])
    await tail.says(/following facts/)
    await on('publish', 'facts', '{"n":1}')
    await tail.says(/"data":\{"n":1\}/)
    tail.child.kill('SIGINT')
    expect(await tail.ended).toMatchObject({ code: 0 })
    expect((await on('groups', 'facts')).out).toBe('there are no groups\n')
    broker.child.kill('SIGINT')
    expect(await broker.ended).toMatchObject({ code: 0 })
  })

  it('ends quietly where nobody reads its answer any more', async () => {
    await cli(['publish', 'facts', '--ndjson', '--declare', 'log', '--keep', '1d'], '"x"\n'.repeat(20_000))
    const { child, ended } = start(['tail', 'facts', '--no-follow'])
    child.stdout.once('data', () => child.stdout.destroy())
    expect(await ended).toMatchObject({ code: 0, err: '' })
  })

  it('has a directory that another process owns be, and says so', async () => {
    const bench = start(['bench', '--messages', '100000000'])
    await bench.says(/publishing/)
    expect(await cli(['channels'])).toMatchObject({ code: 4, err: expect.stringContaining('[ENGINE_LOCKED]') })
    bench.child.kill('SIGKILL')
    await bench.ended
  })

  it('writes completion for bash that bash understands, and that knows commands, options and values', async () => {
    const { out: script } = await cli(['completion', 'bash'])
    const completed = await bash(`${script}
      try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _posthaste; echo "\${COMPREPLY[@]}"; }
      try posthaste ta; try posthaste dlq re; try posthaste dlq redrive --al; try posthaste seek a b --to e; try posthaste completion z`)
    expect(completed).toEqual({ code: 0, out: 'tail\nredrive\n--all\nearliest\nzsh\n', err: '' })
  })
})

function bash(script: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn('bash', ['--norc', '-c', script])
    const text = { out: '', err: '' }
    child.stdout.on('data', (chunk: Buffer) => (text.out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (text.err += chunk.toString()))
    child.on('close', (code) => resolve({ code, ...text }))
  })
}

/** Two messages that a group has rejected. */
async function letters(): Promise<void> {
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
