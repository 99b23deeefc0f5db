import { type ChildProcess, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../test/rig.ts'
import { shelves } from '../inventory/stock.ts'
import { Store } from '../store/store.ts'

const replayProgram = fileURLToPath(new URL('main.ts', import.meta.url))
const shopProgram = fileURLToPath(new URL('../main.ts', import.meta.url))

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: readonly string[]
}

interface Program {
  readonly path: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Told of every line on standard error. */
  readonly onLine?: (child: ChildProcess, count: number) => void
}

function run({ path, args = [], env, onLine }: Program): Promise<End> {
  const child = spawn(process.execPath, ['--conditions=source', path, ...args], { env: { ...process.env, ...env } })
  const stderr: string[] = []
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  createInterface({ input: child.stderr }).on('line', (line) => {
    stderr.push(line)
    onLine?.(child, stderr.length)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

function replay(onLine?: Program['onLine'], ...args: string[]): Promise<End> {
  return run({ path: replayProgram, args: ['--data', rig.dir, ...args], ...(onLine && { onLine }) })
}

/** Numbers from 0 up to but not 1, the same for a seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const sampleBooks = [
  /✓ {2}lines +162 read += {2}135 ordered \+ 7 returned \+ 20 bad \+ 0 refused/,
  /✓ {2}invoices +54 in the file += {2}50 in the shop \+ 0 refused \+ 4 without a usable line/,
  /✓ {2}invoice value +£46,185\.20 in the file += {2}£46,185\.20 in the shop/,
  /✓ {2}orders +44 in /,
  /✓ {2}returns +6 in += {2}6 refunded/,
]

describe('the replay of the sample', () => {
  it('reports every bad line, balances, and does nothing the second time', async () => {
    // Long enough for payments that wait for their breaker on a busy machine: who is cancelled is told by fate, not by haste.
    const first = await replay(undefined, '--unpaid-ms', '12000')
    expect(first.code, first.stdout).toBe(0)
    for (const equation of sampleBooks) expect(first.stdout).toMatch(equation)
    // Fate has it so, whatever the order in which things happen.
    expect(first.stdout).toMatch(/orders +44 in += {2}40 paid and shipped \+ 4 cancelled/)
    expect(first.stderr.filter((line) => line.startsWith('line '))).toHaveLength(20)
    expect(first.stderr).toContain("line 13: quantity 'zwei' is no whole number")

    const second = await replay()
    expect(second.code, second.stdout).toBe(0)
    expect(second.stdout).toContain('50 taken, of which 50 were known')
    const books = (text: string) => text.split('\n').filter((line) => line.startsWith('✓'))
    expect(books(second.stdout)).toEqual(books(first.stdout))
  })

  it.each([1, 2, 3])('balances after kill -9 in the middle, again and again (seed %i)', async (seed) => {
    const random = seeded(seed)
    let kills = 0
    for (let round = 0; round < 5; round += 1) {
      // A third of the lines come while posting is under way, the rest of the time goes to settling.
      const lines = 1 + Math.floor(random() * 44)
      const delayMs = random() * 120
      const end = await replay((child, count) => {
        if (count === lines) setTimeout(() => child.kill('SIGKILL'), delayMs)
      })
      if (end.signal === 'SIGKILL') kills += 1
      else expect(end.code, end.stdout).toBe(0)
    }
    expect(kills).toBeGreaterThan(0)

    const last = await replay()
    expect(last.code, last.stdout).toBe(0)
    expect(last.stdout).toContain('The books balance.')
    for (const equation of sampleBooks) expect(last.stdout).toMatch(equation)
  })

  it.each([1, 2])('balances under chaos, and after kill -9 in the middle of it (seed %i)', async (seed) => {
    const chaos = ['--chaos', '0.15', '--chaos-seed', String(seed)]
    let isKilled = false
    await replay(
      (child, count) => {
        isKilled ||= count === 30 && child.kill('SIGKILL')
      },
      ...chaos,
    )
    expect(isKilled).toBe(true)
    const end = await replay(undefined, ...chaos, '--watch')
    expect(end.code, end.stdout).toBe(0)
    expect(end.stdout).toContain('The books balance.')
    for (const equation of sampleBooks) expect(end.stdout).toMatch(equation)
    expect(end.stderr.at(-1)).toMatch(/^chaos: \d+ late, \d+ refused, \d+ answers lost$/)
  })

  it('fails where the books do not balance, and shows where', async () => {
    expect((await replay()).code).toBe(0)
    const store = new Store(join(rig.dir, 'state'))
    await store.transact((tx) => {
      const shelf = tx.get(shelves, 'T1001')!
      tx.put(shelves, ['T1001'], { ...shelf, onHand: shelf.onHand - 1 })
    })
    await store.close()

    const end = await replay(undefined, '--stall-ms', '500')
    expect(end.code).toBe(1)
    expect(end.stdout).toContain('The books do NOT balance.')
    expect(end.stdout.split('\n').filter((line) => line.startsWith('✗'))).toHaveLength(1)
    expect(end.stdout).toMatch(/✗ {2}stock /)
  })
})

describe('a command line that makes no sense', () => {
  it.each([
    [['--unheard-of'], 'usage:'],
    [['--chaos=2'], '--chaos must be a share from 0 to 1'],
    [['--concurrency', 'many'], 'usage:'],
    [['a.csv', 'b.csv'], 'usage:'],
    [['not-there.csv'], 'there is no file'],
    [['--engine', 'here'], 'the engine must be a URL'],
    [['--engine', 'mqtt://127.0.0.1'], 'there is no engine for mqtt://, only for amqp://'],
  ])('%j is refused with %s', async (args, text) => {
    const end = await replay(undefined, ...args)
    expect(end.code).toBe(1)
    expect(end.stderr.join('\n')).toContain(text)
  })

  it('names what is missing in a file of something else', async () => {
    const path = join(rig.dir, 'other.csv')
    await writeFile(path, 'a;b\n1;2\n')
    expect((await replay(undefined, path)).stderr.join('\n')).toContain('lacks the columns InvoiceNo')
  })
})

describe('npm start', () => {
  /** Opens the shop, and closes it as soon as it says how. */
  function openAndClose(...more: readonly string[]): Promise<Omit<End, 'signal'>> {
    const args = ['--conditions=source', shopProgram, '--port', '0', '--data', rig.dir, ...more]
    const child = spawn(process.execPath, args)
    let stdout = ''
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (stdout.includes('Ctrl-C closes') && !stdout.includes('closing')) child.kill('SIGINT')
    })
    return new Promise((resolve) =>
      child.on('close', (code) => resolve({ code, stdout, stderr: stderr.trim().split('\n') })),
    )
  }

  it('says how to order, and closes well on Ctrl-C', async () => {
    const { code, stdout } = await openAndClose()
    expect(code, stdout).toBe(0)
    expect(stdout).toMatch(/curl -s http:\/\/127\.0\.0\.1:\d+\/api\/orders -H/)
    expect(stdout).toContain('closed; nothing is lost')
  })

  it('says that it injects faults, and where it is watched, which', async () => {
    const { code, stderr } = await openAndClose('--chaos', '0.5', '--watch')
    expect(code, stderr.join('\n')).toBe(0)
    expect(stderr.join('\n')).toContain('faults are injected on purpose')
    expect(stderr.at(-1)).toBe('chaos: 0 late, 0 refused, 0 answers lost')
  })

  it('says so when the port is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as { port: number }
      const end = await run({ path: shopProgram, env: { PORT: String(port), SHOP_DATA: rig.dir } })
      expect(end.code).toBe(1)
      expect(end.stderr.join('\n')).toContain(`127.0.0.1:${port}: listen EADDRINUSE`)
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })
})
