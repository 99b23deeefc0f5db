import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { describe, expect, it, onTestFinished } from 'vitest'
import { posthaste } from './posthaste.ts'

/** An application in a process of its own, which prints `ready` and `cancelled`; its one call never ends by itself. */
const program = `
  import { posthaste, service } from 'posthaste'
  const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
  const Work = service('test.Work', { run: { input: any, output: any } })
  const part = (stop) => ({ name: 'slow', start: async () => [], stop })
  const forever = setInterval(() => {}, 1_000)
  const stop = async (graceMs) => {
    console.log('stopping')
    if (process.argv[1] === 'stuck') await new Promise(() => {})
    clearInterval(forever)
  }
  const app = posthaste({ name: 'test', transports: [part(stop)], log: { debug() {}, info() {}, warn() {}, error() {} } })
  await app.start()
  console.log('ready')
`

/** An application without anything that keeps a process alive, whose handler waits for nothing but its signal. */
const waiting = `
  import { memory } from '@posthaste/memory'
  import { event, posthaste } from 'posthaste'
  const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
  const Noted = event('shop.noted', { data: any })
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const app = posthaste({ name: 'test', engine: memory(), log, graceMs: 50 })
  app.on(Noted, { group: 'books' }, async (data, { signal }) => {
    console.log('ready')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    console.log('cancelled')
  })
  await app.start()
  await app.publish(Noted, 1)
`

async function running(
  how: 'good' | 'stuck' | 'waiting',
): Promise<{ child: ChildProcess; until: (word: string) => Promise<void> }> {
  const code = how === 'waiting' ? waiting : program
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', code, how], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout?.setEncoding('utf8')
  child.stdout?.on('data', (text: string) => {
    output += text
  })
  const until = async (word: string): Promise<void> => {
    while (!output.includes(word)) await once(child.stdout as NodeJS.ReadableStream, 'data')
  }
  await until('ready')
  return { child, until }
}

describe('a signal to stop', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'closes the application, which lets the process end by itself: %s',
    async (signal) => {
      const { child } = await running('good')
      child.kill(signal)
      expect(await once(child, 'exit')).toEqual([0, null])
    },
  )

  it('finds the process alive, and lets handlers hear of it that wait for nothing else', async () => {
    const { child, until } = await running('waiting')
    // Whatever does not keep a process alive has gone by now.
    await new Promise((resolve) => setTimeout(resolve, 50))
    child.kill('SIGTERM')
    await until('cancelled')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('ends a process that does not come to its end, when it comes a second time', async () => {
    const { child, until } = await running('stuck')
    child.kill('SIGTERM')
    await until('stopping')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([null, 'SIGTERM'])
  })

  it('is listened to only while the application runs, and only where it may be', async () => {
    const count = (): number => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT')
    const before = count()
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const deaf = posthaste({ name: 'test', log, signals: false })
    await deaf.start()
    expect(count()).toBe(before)
    const app = posthaste({ name: 'test', log })
    await app.start()
    expect(count()).toBe(before + 2)
    await app.close()
    await deaf.close()
    expect(count()).toBe(before)
  })
})
