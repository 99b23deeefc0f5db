import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runningServer } from '@posthaste/conformance/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { down, type Surroundings, status, up } from './commands.ts'
import { ended, lives, signal } from './processes.ts'
import { findExecutable } from './sources/path.ts'
import { readState, removeState, writeStarting } from './state.ts'

const canRun = findExecutable('redis-server') !== undefined || process.env.CI !== undefined

describe.skipIf(!canRun)('up, status and down', () => {
  let root: string
  let here: Surroundings

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'engine-commands-'))
    here = { dir: join(root, '.cache/engines'), env: {} }
  })

  afterAll(async () => {
    await down('redis', here)
    rmSync(root, { recursive: true })
  })

  it('start a server, tell of it and stop it', async () => {
    expect(await status('redis', here)).toEqual({ name: 'redis', state: 'stopped' })
    const started = await up('redis', here)
    expect(started).toMatchObject({ state: 'running', version: expect.stringMatching(/^\d+\.\d+/) })
    expect(await status('redis', here)).toEqual(started)
    expect(runningServer('redis', { env: {}, fromDir: root })).toMatchObject({
      url: started.url,
      version: started.version,
    })
    expect(await up('redis', here)).toEqual(started)
    expect(await down('redis', here)).toEqual({ name: 'redis', state: 'stopped' })
    expect(runningServer('redis', { env: {}, fromDir: root })).toBeUndefined()
    expect(await down('redis', here)).toEqual({ name: 'redis', state: 'stopped' })
  })

  it('start a server again that was killed, with its data', async () => {
    await up('redis', here)
    const before = readState(here.dir, 'redis')
    for (const each of before?.processes ?? []) {
      signal(each, 'SIGKILL')
      await ended(each, 5_000)
    }
    const again = await up('redis', here)
    expect(again).toMatchObject({ state: 'running' })
    expect(again.pid).not.toBe(before?.pid)
    expect(readFileSync(join(here.dir, 'redis/server.log'), 'utf8')).toMatch(/AOF|append only file/i)
  })

  it('say that a server runs but does not answer', async () => {
    await up('redis', here)
    const processes = readState(here.dir, 'redis')?.processes ?? []
    for (const each of processes) signal(each, 'SIGSTOP')
    expect(await status('redis', here)).toMatchObject({
      state: 'failed',
      note: expect.stringMatching(/^runs, but: no answer/),
    })
    for (const each of processes) signal(each, 'SIGCONT')
    expect(await status('redis', here)).toMatchObject({ state: 'running' })
  })

  it('end what an interrupted start has left behind', async () => {
    await up('redis', here)
    const left = readState(here.dir, 'redis')
    removeState(here.dir, 'redis')
    writeStarting(here.dir, 'redis', left?.processes ?? [])
    expect(await status('redis', here)).toMatchObject({ state: 'stopped' })
    expect(await up('redis', here)).toMatchObject({ state: 'running' })
    expect(left?.processes.map(lives)).toEqual([false])
    expect(existsSync(join(here.dir, 'redis.starting'))).toBe(false)
  })

  it('leave a server alone that the environment names', async () => {
    await up('redis', here)
    const state = readState(here.dir, 'redis')
    const theirs = { dir: join(root, 'theirs'), env: { POSTHASTE_REDIS_URL: state?.url } }
    expect(await up('redis', theirs)).toMatchObject({ state: 'foreign', url: state?.url, version: state?.version })
    expect(await down('redis', theirs)).toMatchObject({ state: 'foreign' })
    expect(state?.processes.map(lives)).toEqual([true])
  })

  it('say why a server did not get ready, with the end of its log', async () => {
    const broken = { dir: join(root, 'broken'), env: {} }
    mkdirSync(join(broken.dir, 'redis/appendonlydir'), { recursive: true })
    writeFileSync(join(broken.dir, 'redis/appendonlydir/appendonly.aof.manifest'), 'nonsense\n')
    expect(await up('redis', broken)).toMatchObject({
      state: 'failed',
      note: expect.stringMatching(/redis did not get ready: its process has ended\n.*manifest/s),
    })
    expect(await status('redis', broken)).toMatchObject({ state: 'stopped' })
  })
})

describe('npm run engines', () => {
  const main = join(import.meta.dirname, 'main.ts')
  const engines = (...args: readonly string[]) =>
    spawnSync(process.execPath, ['--conditions=source', main, ...args], { encoding: 'utf8' })

  it('prints a list for machines', () => {
    const { status: exit, stdout } = engines('status', 'redis', 'kafka', '--json')
    expect((JSON.parse(stdout) as { readonly name: string }[]).map(({ name }) => name)).toEqual(['redis', 'kafka'])
    expect(exit).toBe(0)
  })

  it('ends with 2 when it is called wrongly', () => {
    expect(engines('status', 'mongo')).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(/'mongo'/),
    })
  })

  it('ends with 1 when a server that is named does not answer', () => {
    const env = { ...process.env, POSTHASTE_REDIS_URL: 'redis://127.0.0.1:1' }
    const { status: exit, stdout } = spawnSync(process.execPath, ['--conditions=source', main, 'up', 'redis'], {
      encoding: 'utf8',
      env,
    })
    expect(stdout).toMatch(/^redis +failed +redis:\/\/127\.0\.0\.1:1\n {2}POSTHASTE_REDIS_URL names it, but:/)
    expect(exit).toBe(1)
  })
})
