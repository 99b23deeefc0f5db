import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processStart, type ServerProcess } from '@posthaste/conformance/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { end, ended, launch, lives, signal } from './processes.ts'

let dir: string
const started: ServerProcess[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'engine-processes-'))
})

afterEach(() => {
  for (const each of started.splice(0)) signal(each, 'SIGKILL')
  rmSync(dir, { recursive: true })
})

async function node(code: string): Promise<ServerProcess> {
  const args = ['--eval', code]
  const one = await launch({ command: process.execPath, args, listensOn: 0 }, join(dir, 'log'), dir)
  started.push(one)
  return one
}

async function logged(pattern: RegExp): Promise<string> {
  for (;;) {
    const found = pattern.exec(readFileSync(join(dir, 'log'), 'utf8'))
    if (found) return found[1] ?? found[0]
    await sleep(10)
  }
}

const forever = 'setInterval(() => {}, 1000)'
const childIsStarted = `const child = require('node:child_process').spawn(process.execPath, ['--eval', '${forever}'], { stdio: 'inherit' })
child.on('spawn', () => console.log('child=' + child.pid)); ${forever}`

describe('a process of a server', () => {
  it('is ended in order, with what it said in the log', async () => {
    const one = await node(
      `process.on('SIGTERM', () => { console.log('ending'); process.exit() }); console.log('up'); ${forever}`,
    )
    await logged(/up/)
    expect(lives(one)).toBe(true)
    await end([one])
    expect(lives(one)).toBe(false)
    expect(await logged(/ending/)).toBe('ending')
  })

  it('is killed when it does not end in time, even if it was paused', async () => {
    const one = await node(`process.on('SIGTERM', () => {}); console.log('up'); ${forever}`)
    await logged(/up/)
    signal(one, 'SIGSTOP')
    await end([one], 200)
    expect(lives(one)).toBe(false)
  })

  it('is ended with what it started', async () => {
    const one = await node(childIsStarted)
    const child = Number(await logged(/child=(\d+)/))
    const both = [one, { pid: child, start: processStart(child) ?? '' }]
    expect(both.map(lives)).toEqual([true, true])
    signal(one, 'SIGKILL')
    expect(await Promise.all(both.map((each) => ended(each, 5_000)))).toEqual([true, true])
  })

  it('is left alone when it is another one with the same id', async () => {
    const one = await node(forever)
    await end([{ pid: one.pid, start: 'earlier' }])
    signal({ pid: one.pid, start: 'earlier' }, 'SIGKILL')
    expect(await ended(one, 100)).toBe(false)
  })

  it('that has ended already may be ended again', async () => {
    const one = await node('')
    await ended(one, 5_000)
    await end([one])
    expect(lives(one)).toBe(false)
  })

  it('is refused where there is no such executable', async () => {
    await expect(launch({ command: join(dir, 'none'), args: [], listensOn: 0 }, join(dir, 'log'), dir)).rejects.toThrow(
      /ENOENT/,
    )
  })
})
