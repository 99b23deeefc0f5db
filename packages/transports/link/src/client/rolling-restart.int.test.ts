import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Recorder } from '../../test/connection-rig.ts'
import { call, client, serve } from '../../test/sockets.ts'
import type { LinkListener } from '../connection/options.ts'
import { lastMessage, type StreamAcceptor } from '../connection/types.ts'

/** Answers after a few turns, so that calls are always under way, and counts what it has taken. */
function slowEcho(taken: Map<string, number>): StreamAcceptor {
  return (_opening, stream) => {
    const sink = new Recorder()
    sink.onMessage = (body) => {
      const text = Buffer.from(body).toString()
      taken.set(text, (taken.get(text) ?? 0) + 1)
      const wait = (turns: number): void => {
        if (turns === 0) stream.send(Buffer.from(text), lastMessage)
        else setImmediate(() => wait(turns - 1))
      }
      wait(taken.size % 7)
    }
    return sink
  }
}

/** Serves at one address, five servers after each other, each going before the next one comes, under calls without end. */
async function restart(place: { readonly path?: string; readonly port?: number }): Promise<Map<string, number>> {
  const taken = new Map<string, number>()
  let listener: LinkListener = await serve(place, slowEcho(taken))
  const { url } = listener
  const dialers = [client({ url }), client({ url }), client({ url })]
  const again = place.path === undefined ? { port: Number(new URL(url).port) } : place
  let stopped = false
  let calls = 0
  const lane = async (number: number): Promise<void> => {
    while (!stopped) {
      const text = `${number}.${calls++}`
      expect(await call(dialers[number % 3] as (typeof dialers)[0], text)).toBe(text)
    }
  }
  const lanes = Array.from({ length: 48 }, (_, number) => lane(number))
  for (let server = 0; server < 5; server++) {
    const before = taken.size
    while (taken.size < before + 500) await new Promise((resolve) => setImmediate(resolve))
    const draining = listener.drain(30_000)
    listener = await serve(again, slowEcho(taken))
    await draining
  }
  stopped = true
  await Promise.all(lanes)
  expect(taken.size).toBe(calls)
  return taken
}

it('No call is lost, and none is made twice, while one server after the other takes a TCP port over', async () => {
  const taken = await restart({ port: 0 })
  expect([...taken.values()].every((times) => times === 1)).toBe(true)
})

it('No call is lost, and none is made twice, while one server after the other takes a Unix socket over', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'link-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const taken = await restart({ path: join(dir, 'a.sock') })
  expect([...taken.values()].every((times) => times === 1)).toBe(true)
})
