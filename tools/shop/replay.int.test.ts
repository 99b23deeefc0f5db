import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { runningServer } from '@posthaste/conformance'
import { describe, expect, it } from 'vitest'
import { serverNames } from '../engines/recipe.ts'
import { type PrivateServer, startServer } from '../engines/server.ts'
import { type ReplayEnd, replay, writeOtherOrders } from './replay.ts'

/** Lines that a replay prints while it posts; it settles afterwards. */
const linesOfPosting = 44
const roundsMax = 10
const killsWanted = 3

const fileBooks = [
  /✓ {2}lines +162 read += {2}135 ordered \+ 7 returned \+ 20 bad \+ 0 refused/,
  /✓ {2}invoices +54 in the file += {2}50 in the shop \+ 0 refused \+ 4 without a usable line/,
]

/** What the shop has in its books after so many files, each with the orders of the sample under numbers of its own. */
const shopBooks = (files: number) => [
  new RegExp(`✓ {2}orders +${44 * files} in `),
  new RegExp(`✓ {2}returns +${6 * files} in += {2}${6 * files} refunded`),
]

function expectBalanced({ code, stdout, stderr }: ReplayEnd, files: number): void {
  expect(code, `${stderr}\n${stdout}`).toBe(0)
  expect(stdout).toContain('The books balance.')
  for (const equation of [...fileBooks, ...shopBooks(files)]) expect(stdout).toMatch(equation)
}

/** A shop and the server that carries its messages. */
interface Scene {
  readonly dir: string
  readonly server: PrivateServer
}

async function killsOfTheShop({ dir, server }: Scene): Promise<void> {
  const random = seeded(1)
  let kills = 0
  for (let round = 0; round < roundsMax && kills < killsWanted; round++) {
    const lines = 1 + Math.floor(random() * linesOfPosting)
    const delayMs = random() * 200
    const end = await replay({
      dir,
      engineUrl: server.url,
      onLine: (child, count) => {
        if (count === lines) setTimeout(() => child.kill('SIGKILL'), delayMs)
      },
    })
    if (end.signal === 'SIGKILL') kills++
    else expectBalanced(end, 1)
  }
  expect(kills).toBe(killsWanted)
  expectBalanced(await replay({ dir, engineUrl: server.url }), 1)
}

async function killOfTheServer({ dir, server }: Scene): Promise<void> {
  const file = join(dir, 'second.csv')
  writeOtherOrders(file, 8)
  let restarted: Promise<void> | undefined
  const end = await replay({
    ...{ dir, engineUrl: server.url, file },
    onLine: (_, count) => {
      if (count === linesOfPosting / 2) restarted = server.kill().then(() => server.restart())
    },
  })
  await restarted
  expectBalanced(end, 2)
  expect(restarted).toBeDefined()
}

async function killOfBoth({ dir, server }: Scene): Promise<void> {
  const file = join(dir, 'third.csv')
  writeOtherOrders(file, 9)
  const shop = { dir, engineUrl: server.url, file }
  const killed = await replay({
    ...shop,
    onLine: (child, count) => {
      if (count === linesOfPosting / 2) {
        child.kill('SIGKILL')
        void server.kill()
      }
    },
  })
  expect(killed.signal).toBe('SIGKILL')
  await server.restart()
  expectBalanced(await replay(shop), 3)
}

/**
 * On servers of their own, so that they can be killed and nothing is left on anybody's; all side by side, since they mostly
 * wait. Whoever has a server up wants it tested, and has it installed. The server is not killed before the shop has been at
 * work once: RabbitMQ 3.10 may leave a queue without a leader for good when it is killed right after making it.
 */
describe('the shop', () => {
  it.concurrent.for(serverNames)(
    'balances on %s after kill -9 of itself again and again, of the server in mid-replay, and of both at once',
    { timeout: 500_000 },
    async (name, { skip }) => {
      const wanted = runningServer(name) !== undefined || process.env.CI !== undefined
      skip(!wanted, `start it with: npm run engines -- up ${name}`)
      const dir = await mkdtemp(join(tmpdir(), 'posthaste-shop-'))
      const server = await startServer(name, { dir: join(dir, 'server') })
      try {
        const scene = { dir: join(dir, 'shop'), server }
        await mkdir(scene.dir)
        await killsOfTheShop(scene)
        await killOfTheServer(scene)
        await killOfBoth(scene)
      } finally {
        await server.stop()
        await rm(dir, { recursive: true, force: true })
      }
    },
  )
})

/** Numbers from 0 up to but not 1, the same for a seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
