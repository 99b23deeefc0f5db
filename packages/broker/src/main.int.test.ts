import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join as pathOf } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { declare, join, Rig, record, until } from '../test/rig.ts'

let rig: Rig
const children: ChildProcess[] = []
beforeEach(() => {
  rig = new Rig()
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rig.close()
})

/** Starts the program, and waits until it says where it is. */
async function program(environment: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, ['--conditions=source', pathOf(import.meta.dirname, 'main.ts')], {
    env: { PATH: process.env.PATH, POSTHASTE_BROKER_HEALTH_PORT: '0', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  children.push(child)
  let said = ''
  child.stderr?.on('data', (text: Buffer) => {
    said += text.toString()
  })
  await until(() => said.includes('"the broker is ready"') || child.exitCode !== null)
  return { child, said: () => said, url: /link:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0] ?? '' }
}

describe('the program', () => {
  it('keeps what it confirmed when it is killed, and counts what was in hand', async () => {
    const environment = {
      POSTHASTE_BROKER_DATA_DIR: pathOf(rig.dir, 'data'),
      POSTHASTE_BROKER_LISTEN: 'link://127.0.0.1:0',
    }
    const first = await program(environment)
    const engine = await rig.engine(first.url)
    await declare(engine)
    const ids = Array.from({ length: 50 }, (_, at) => `${at}`)
    for (const id of ids) expect(await engine.publish([record(id, { key: id })])).toEqual([{ ok: true }])
    const { sink } = await join(engine, 1)
    await until(() => sink.received.length === 1)
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')
    const second = await program({ ...environment, POSTHASTE_BROKER_LISTEN: first.url })
    // The same engine, which is back by itself and has been told that what it had is lost.
    await until(() => sink.lostTags.length === 1)
    const other = await join(await rig.engine(second.url), 1_000)
    other.sink.onDeliver = (batch) => void other.subscription.settle(batch.map(({ tag }) => ({ kind: 'ack', tag })))
    await until(() => other.sink.received.length === ids.length)
    expect(other.sink.ids.toSorted()).toEqual(ids.toSorted())
    for (const {
      record: { id },
      attempt,
    } of other.sink.received)
      expect(attempt).toBe(id === sink.ids[0] ? 2 : 1)
  })

  it('ends in order when it is asked to, and says so', async () => {
    const { child, said } = await program({
      ...{ POSTHASTE_BROKER_DATA_DIR: pathOf(rig.dir, 'data'), POSTHASTE_BROKER_LISTEN: 'link://127.0.0.1:0' },
    })
    child.kill('SIGTERM')
    // Closed, so that all it said has come.
    expect(await once(child, 'close')).toEqual([0, null])
    expect(said()).toContain('the broker has stopped')
  })

  it('goes on, and ends in order, when nobody reads any more what it says', async () => {
    const { child, url } = await program({
      ...{ POSTHASTE_BROKER_DATA_DIR: pathOf(rig.dir, 'data'), POSTHASTE_BROKER_LISTEN: 'link://127.0.0.1:0' },
    })
    child.stderr?.destroy()
    await declare(await rig.engine(url))
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('does not start with what is wrong, and says all of it', async () => {
    const { child, said } = await program({ POSTHASTE_BROKER_LISTEN: 'http://x', POSTHASTE_BROKER_DRAIN_MS: 'long' })
    expect(child.exitCode).toBe(1)
    expect(said()).toMatch(/dataDir: is missing.*drainMs.*http:\/\/x/)
  })
})
