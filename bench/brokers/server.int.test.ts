import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort, installed, startServer } from './server.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'bench-server-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const listening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.destroy())
    socket.once('error', () => resolve(false))
    socket.once('close', (failed) => failed || resolve(true))
  })

/** A server whose own child listens: what has to go is more than the process that was started. */
const scriptFor = (port: number): string =>
  `require('node:child_process').spawn(process.execPath, ['-e', "require('node:net').createServer().listen(${port}, '127.0.0.1')"]); setInterval(() => {}, 1000)`

describe('a server', () => {
  it('is there until it is stopped, and nothing of it afterwards', async () => {
    const port = await freePort()
    expect(await listening(port)).toBe(false)
    const server = startServer({ file: process.execPath, args: ['-e', scriptFor(port)], dir })
    await server.until(() => listening(port))
    await server.stop()
    await expect.poll(() => listening(port)).toBe(false)
    await server.stop()
  })

  it('that ends by itself is not waited for, and its output is told', async () => {
    const server = startServer({
      file: process.execPath,
      args: ['-e', 'console.log("no licence"); process.exit(1)'],
      dir,
    })
    await expect(server.until(async () => false)).rejects.toThrow(/ended: no licence/)
    await server.stop()
  })

  it('that cannot be started says so', async () => {
    const server = startServer({ file: join(dir, 'none'), args: [], dir })
    await expect(server.until(async () => false)).rejects.toThrow(/none ended/)
    await server.stop()
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('goes when the process that started it is ended by %s', async (signal) => {
    const port = await freePort()
    const module = JSON.stringify(join(import.meta.dirname, 'server.ts'))
    const script = `import { startServer } from ${module}
      startServer({ file: process.execPath, args: ['-e', ${JSON.stringify(scriptFor(port))}], dir: ${JSON.stringify(dir)} })
      console.log('started')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    const ended = new Promise((resolve) => child.once('exit', (_, by) => resolve(by)))
    await new Promise((resolve) => createInterface(child.stdout).once('line', resolve))
    await expect.poll(() => listening(port), { timeout: 10_000 }).toBe(true)
    child.kill(signal)
    expect(await ended).toBe(signal)
    await expect.poll(() => listening(port)).toBe(false)
  })
})

describe('a program', () => {
  it('is found by its path or on the path, the first of several', () => {
    expect(installed('/none/at/all', process.execPath, 'sh')).toBe(process.execPath)
    expect(installed('no-such-program')).toBeUndefined()
  })
})
