import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { processStart } from './process.ts'
import { requiredServer, runningServer, serverVariable } from './running-server.ts'

const alive = { pid: process.pid, start: processStart(process.pid) }
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'running-server-'))
  mkdirSync(join(root, 'workspace/.cache/engines'), { recursive: true })
  mkdirSync(join(root, 'workspace/packages/a'), { recursive: true })
  writeFileSync(join(root, 'workspace/package.json'), '{ "workspaces": [] }')
  writeFileSync(join(root, 'workspace/packages/a/package.json'), '{}')
})

afterEach(() => rmSync(root, { recursive: true }))

function write(name: string, state: unknown, dir = 'workspace'): void {
  mkdirSync(join(root, dir, '.cache/engines'), { recursive: true })
  writeFileSync(join(root, dir, '.cache/engines', `${name}.json`), JSON.stringify(state))
}

function find(name: string, env: Record<string, string> = {}) {
  return runningServer(name, { env, fromDir: join(root, 'workspace/packages/a') })
}

describe('runningServer', () => {
  it('gives the server that the environment names, before any other', () => {
    write('redis', { url: 'redis://ours', processes: [alive] })
    expect(find('redis', { POSTHASTE_REDIS_URL: 'redis://theirs' })).toEqual({ name: 'redis', url: 'redis://theirs' })
  })

  it('gives the server that was started in the workspace, from any folder of it', () => {
    const reached = {
      url: 'redis://ours',
      version: '7.0.15',
      tlsUrl: 'rediss://ours',
      caFile: '/ca.pem',
      username: 'u',
    }
    write('redis', { ...reached, processes: [alive] })
    expect(find('redis')).toEqual({ name: 'redis', ...reached })
  })

  it('gives none whose process has ended, even if another has got its id', () => {
    write('redis', { url: 'redis://ours', processes: [alive, { ...alive, start: 'earlier' }] })
    expect(find('redis')).toBeUndefined()
  })

  it('gives none where none was started', () => {
    expect(find('redis')).toBeUndefined()
  })

  it('does not look beyond the root of the workspace', () => {
    write('redis', { url: 'redis://other', processes: [alive] }, '.')
    expect(find('redis')).toBeUndefined()
  })

  it('gives none where what was written about it cannot be read', () => {
    writeFileSync(join(root, 'workspace/.cache/engines/redis.json'), '{ "url": ')
    expect(find('redis')).toBeUndefined()
    write('redis', { processes: [alive] })
    expect(find('redis')).toBeUndefined()
  })
})

describe('the variable of a server', () => {
  it('has the name of the server in it', () => {
    expect(serverVariable('rabbitmq')).toBe('POSTHASTE_RABBITMQ_URL')
    expect(serverVariable('nats-2.9')).toBe('POSTHASTE_NATS_2_9_URL')
  })
})
describe('requiredServer', () => {
  it('gives what runningServer does, and says how to start what does not run', () => {
    const env = { POSTHASTE_REDIS_URL: 'redis://theirs' }
    expect(requiredServer('redis', { env })).toEqual({ name: 'redis', url: 'redis://theirs' })
    expect(() => requiredServer('nats-2.9', { env, fromDir: root })).toThrow(
      expect.objectContaining({
        code: 'FAILED_PRECONDITION',
        remedy: 'Start it with `npm run engines -- up nats-2.9`, or name one in POSTHASTE_NATS_2_9_URL.',
      }),
    )
  })
})
