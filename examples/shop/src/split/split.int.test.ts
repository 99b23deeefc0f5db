import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { makeRig } from '../../test/rig.ts'

const split = fileURLToPath(new URL('main.ts', import.meta.url))
const replay = fileURLToPath(new URL('../replay/main.ts', import.meta.url))

/** As the processes of the shop have it. */
const compileCache = join(tmpdir(), 'node-compile-cache')

function start(path: string, ...args: string[]) {
  const child = spawn(process.execPath, ['--conditions=source', path, ...args], {
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env },
  })
  const text = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (text.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text.err += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, text, ended }
}

const processes = ['broker', 'orders', 'inventory', 'payment', 'points', 'logistics', 'notification', 'books', 'front']

async function newDir(onFinished: (work: () => Promise<void>) => void): Promise<string> {
  const rig = await makeRig()
  onFinished(() => rig.close())
  return rig.dir
}

// Much of their time is that of sessions that end, and of customers who do not pay.
describe.concurrent('the split shop', () => {
  it('balances its books though every process is killed with -9 while orders come', { timeout: 150_000 }, async ({
    onTestFinished,
  }) => {
    const dir = await newDir(onTestFinished)
    const seed = String(Math.floor(Math.random() * 1_000))
    const { text, ended } = start(split, '--port', '0', '--data', dir, '--kill', '--seed', seed, '--unpaid-ms', '1500')
    expect(await ended, `seed ${seed}\n${text.out}\n${text.err}`).toBe(0)
    const [, killed = ''] = /killed with -9 meanwhile: (.*)/.exec(text.out) ?? []
    expect(killed.split(', ').toSorted()).toEqual(processes.toSorted())
    for (const name of processes) expect(text.err).toContain(`${name} died: SIGKILL; starting it again`)
    expect(text.out).toMatch(
      /✓ {2}invoices +54 in the file += {2}50 in the shop \+ 0 refused \+ 4 without a usable line/,
    )
    expect(text.out).toMatch(/✓ {2}orders +44 in /)
    expect(text.out).toContain('The books balance.')
  })

  it('serves the API of the shop, which a replay feeds from outside, and whose processes end with it', {
    timeout: 120_000,
  }, async ({ expect, onTestFinished }) => {
    const dir = await newDir(onTestFinished)
    const { child, text, ended } = start(split, '--port', '0', '--data', dir, '--unpaid-ms', '4000')
    await expect.poll(() => text.out, { timeout: 60_000 }).toContain('the shop is open at')
    const [url = ''] = /http:\S+(?=,)/.exec(text.out) ?? []
    const post = await fetch(`${url}/api/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ lines: [{ productId: 'KETTLE', quantity: 4 }] }),
    })
    expect({ status: post.status, body: await post.json() }).toMatchObject({ status: 409, body: { code: 'CONFLICT' } })
    expect(await (await fetch(`${url}/api/stock/KETTLE`)).json()).toEqual({ productId: 'KETTLE', onHand: 3 })
    expect((await fetch(`${url}/api/orders/1`)).status).toBe(404)
    const fed = start(replay, '--url', url)
    expect(await fed.ended, fed.text.out + fed.text.err).toBe(0)
    expect(fed.text.out).toMatch(/orders +44 in += {2}40 paid and shipped \+ 4 cancelled/)
    child.kill('SIGKILL')
    await ended
    await expect.poll(() => isOpen(url), { timeout: 30_000 }).toBe(false)
  })
})

/** Processes whose supervisor has died end by themselves. */
function isOpen(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  )
}
