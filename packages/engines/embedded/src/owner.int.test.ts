import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import type { Engine, EngineHost, OutgoingRecord } from '@posthaste/contracts'
import { manualClock, silentLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Directories } from '../test/installation.ts'
import { embedded } from './embedded.ts'
import { Store } from './storage/store.ts'

const topology = {
  channels: [{ name: 'work', kind: 'queue' as const, keyed: false }],
  groups: [{ channel: 'work', group: 'workers', from: 'earliest' as const }],
}

function host(): EngineHost {
  return { clock: manualClock(), log: silentLog, instance: 'test', random: () => 0.5, onState: () => {} }
}

const record = (id: string): OutgoingRecord => ({ id, channel: 'work', headers: {}, body: Buffer.from(id) })

/** Opens a directory, publishes a record, says so, and lives until it is killed. */
const ownerProgram = `
setInterval(() => {}, 60_000)
const { embedded } = await import(process.env.EMBEDDED)
const { manualClock, silentLog } = await import('posthaste/testing')
const engine = embedded({ dir: process.env.DIR })
try {
  await engine.open({ clock: manualClock(), log: silentLog, instance: 'child', random: () => 0.5, onState() {} })
  await engine.declare(JSON.parse(process.env.TOPOLOGY))
  const outcomes = await engine.publish([{ id: 'from the child', channel: 'work', headers: {}, body: Buffer.from('x') }])
  process.send?.({ ok: outcomes[0].ok })
} catch (error) {
  process.send?.({ code: error.code, pid: error.details?.pid })
}
process.on('message', async () => {
  await engine.close()
  process.send?.({ ok: true })
  process.disconnect()
})
`

/** Needs the right to make a namespace of processes, as a container has one. */
const canUnshare = process.platform === 'linux' && spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0

let directories: Directories
let dir: string
const engines: Engine[] = []
const children: ChildProcess[] = []

beforeEach(() => {
  directories = new Directories()
  dir = directories.fresh()
})

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close()
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) await kill(child)
  directories.remove()
})

async function opened(): Promise<Engine> {
  const engine = embedded({ dir })
  engines.push(engine)
  await engine.open(host())
  return engine
}

const ownerArguments = ['--conditions=source', '--input-type=module', '-e', ownerProgram]

function ownerEnvironment(): NodeJS.ProcessEnv {
  const EMBEDDED = new URL('./embedded.ts', import.meta.url).href
  return { ...process.env, DIR: dir, EMBEDDED, TOPOLOGY: JSON.stringify(topology) }
}

async function startChild(): Promise<{ child: ChildProcess; answer: unknown }> {
  const child = spawn(process.execPath, ownerArguments, {
    cwd: import.meta.dirname,
    env: ownerEnvironment(),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  children.push(child)
  const [answer] = await once(child, 'message')
  return { child, answer }
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function idsIn(engine: Engine): Promise<string[]> {
  const page = await engine.browsing?.browse({ channel: 'work', limit: 10 })
  return page?.records.map((each) => each.record.id) ?? []
}

async function rowOf(name: string): Promise<string> {
  const store = new Store(dir)
  const row = store.get('meta', Buffer.from(name))?.toString() ?? ''
  await store.close()
  return row
}

async function rewrite(name: string, row: string): Promise<void> {
  const store = new Store(dir)
  await store.commit((tx) => tx.put('meta', Buffer.from(name), Buffer.from(row)))
  await store.close()
}

describe('a data directory', () => {
  it('is refused to a second engine of the same process, which is told the pid, and to the first one does no harm', async () => {
    const first = await opened()
    await first.declare(topology)
    await expect(opened()).rejects.toMatchObject({
      code: 'ENGINE_LOCKED',
      message: expect.stringContaining(String(process.pid)),
      remedy: expect.stringContaining(String(process.pid)),
      details: { pid: process.pid },
    })
    expect(await first.publish([record('still works')])).toEqual([{ ok: true }])
    expect(await idsIn(first)).toEqual(['still works'])
  })

  it('is opened once for two who ask at once, and is free when it was closed while it was being opened', async () => {
    const first = embedded({ dir })
    const opening = [first.open(host()), first.open(host())]
    await first.close()
    await Promise.all(opening)
    const second = await opened()
    await second.declare(topology)
    expect(await second.publish([record('mine')])).toEqual([{ ok: true }])
    await expect(first.publish([])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })

  it('opens again after an orderly end, and is counted as opened once more', async () => {
    await (await opened()).close()
    const again = await opened()
    await again.declare(topology)
    await again.close()
    expect([await rowOf('boot'), await rowOf('owner')]).toEqual(['2', ''])
  })

  it('is refused to a child of the process that has it, which names this one', async () => {
    await opened()
    const { answer } = await startChild()
    expect(answer).toEqual({ code: 'ENGINE_LOCKED', pid: process.pid })
  })

  it('is refused while a child has it, and is free with all that was confirmed once that was killed', async () => {
    const { child, answer } = await startChild()
    expect(answer).toEqual({ ok: true })
    await expect(opened()).rejects.toMatchObject({ code: 'ENGINE_LOCKED', details: { pid: child.pid } })
    await kill(child)
    expect(await idsIn(await opened())).toEqual(['from the child'])
  })

  it('is free when the child that had it has closed, though that still lives', async () => {
    const { child } = await startChild()
    const closed = once(child, 'message')
    child.send('close')
    await closed
    expect(await idsIn(await opened())).toEqual(['from the child'])
  })

  it.each([
    ['another process has its pid now', { startedAt: '1' }],
    ['its pid is of another machine or container', { namespace: 'pid:[1]' }],
  ])('is free when its owner died and %s', async (_, change) => {
    const { child } = await startChild()
    const owner = await rowOf('owner')
    const closed = once(child, 'message')
    child.send('close')
    await closed
    await rewrite('owner', owner)
    await expect(opened()).rejects.toMatchObject({ code: 'ENGINE_LOCKED' })
    await rewrite('owner', JSON.stringify({ ...JSON.parse(owner), ...change }))
    await expect(opened()).resolves.toBeDefined()
  })

  it.runIf(process.platform === 'linux')('is free when its owner is dead, though nobody has collected it', async () => {
    // A shell that never waits keeps its child's entry in the process table.
    const parent = spawn('sh', ['-c', '"$0" "$@" & echo $!; exec sleep 600', process.execPath, ...ownerArguments], {
      cwd: import.meta.dirname,
      env: ownerEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(parent)
    const [line] = await once(parent.stdout!, 'data')
    const pid = Number(String(line))
    await expect.poll(() => rowOf('owner'), { timeout: 20_000 }).toContain(`"pid":${pid},`)
    await expect(opened()).rejects.toMatchObject({ code: 'ENGINE_LOCKED', details: { pid } })
    process.kill(pid, 'SIGKILL')
    const isOpened = () =>
      opened().then(
        () => true,
        () => false,
      )
    await expect.poll(isOpened, { timeout: 20_000 }).toBe(true)
    expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z ')
  })

  it.runIf(canUnshare)(
    'is refused while a process of another container has it, and is free once that is dead',
    async () => {
      const child = spawn('unshare', ['--pid', '--fork', '--kill-child', process.execPath, ...ownerArguments], {
        cwd: import.meta.dirname,
        env: ownerEnvironment(),
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      children.push(child)
      await expect.poll(() => rowOf('owner'), { timeout: 20_000 }).toContain('"socket":')
      await expect(opened()).rejects.toMatchObject({ code: 'ENGINE_LOCKED' })
      const left = () => readdirSync(dir).filter((name) => name.endsWith('.sock'))
      expect(left()).toHaveLength(1)
      await kill(child)
      await expect
        .poll(
          () =>
            opened().then(
              () => 'opened',
              () => 'refused',
            ),
          { timeout: 20_000 },
        )
        .toBe('opened')
      expect(left()).toHaveLength(1)
      await engines.at(-1)?.close()
      expect(left()).toEqual([])
    },
  )

  it('is free to the process that could not even write that it let go of it', async () => {
    await opened()
    const owner = await rowOf('owner')
    await engines.pop()?.close()
    await rewrite('owner', owner)
    await expect(opened()).resolves.toBeDefined()
  })

  it('of another format is refused by name, stays as it is and can be opened by whoever reads that format', async () => {
    await (await opened()).close()
    const format = await rowOf('format')
    await rewrite('format', '999')
    await expect(opened()).rejects.toMatchObject({ code: 'ENGINE_FORMAT', message: expect.stringContaining('999') })
    await rewrite('format', format)
    await expect(opened()).resolves.toBeDefined()
  })

  it('whose owner cannot be read is refused by name, and is not taken', async () => {
    await (await opened()).close()
    await rewrite('owner', '{"pid":1')
    await expect(opened()).rejects.toMatchObject({ code: 'ENGINE_CORRUPT', details: { table: 'meta', row: 'owner' } })
    expect(await rowOf('owner')).toBe('{"pid":1')
  })

  it('that is none is told as unavailable, with its path', async () => {
    dir = '/dev/null/data'
    await expect(opened()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining(dir) })
  })
})
