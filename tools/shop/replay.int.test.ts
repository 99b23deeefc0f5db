import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { runningServer } from '@posthaste/conformance'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest'
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
const sampleBooks = [/✓ {2}orders +44 in /, /✓ {2}returns +6 in += {2}6 refunded/]
const twiceBooks = [/✓ {2}orders +88 in /, /✓ {2}returns +12 in += {2}12 refunded/]

/**
 * On a server of its own, so that it can be killed and nothing is left on anybody's. Whoever has the server up wants it
 * tested, and has it installed.
 */
describe.each(serverNames)('the shop on %s', (name) => {
  const wanted = runningServer(name) !== undefined || process.env.CI !== undefined
  let serverDir: string
  let server: PrivateServer
  let dir: string

  beforeAll(async () => {
    if (!wanted) return
    serverDir = await mkdtemp(join(tmpdir(), 'posthaste-shop-server-'))
    server = await startServer(name, { dir: serverDir })
  }, 120_000)
  afterAll(async () => {
    if (!wanted) return
    await server.stop()
    await rm(serverDir, { recursive: true, force: true })
  })
  beforeEach(async (context: TestContext) => {
    context.skip(!wanted, `start it with: npm run engines -- up ${name}`)
    dir = await mkdtemp(join(tmpdir(), 'posthaste-shop-'))
  })
  afterEach(async () => {
    if (dir !== undefined) await rm(dir, { recursive: true, force: true })
  })

  const expectBalanced = ({ code, stdout, stderr }: ReplayEnd, books = sampleBooks): void => {
    expect(code, `${stderr}\n${stdout}`).toBe(0)
    expect(stdout).toContain('The books balance.')
    for (const equation of [...fileBooks, ...books]) expect(stdout).toMatch(equation)
  }

  /**
   * Leaves a shop that has been at work, and gives it other orders: RabbitMQ 3.10 may leave a queue without a leader for good
   * when it is killed right after making it, and it is not the making of queues that these tests are about.
   */
  const openedBefore = async () => {
    expectBalanced(await replay({ dir, engineUrl: server.url }))
    const file = join(dir, 'other-orders.csv')
    writeOtherOrders(file)
    return { dir, engineUrl: server.url, file }
  }

  it('balances after kill -9 of the shop in the middle, again and again', async () => {
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
      else expectBalanced(end)
    }
    expect(kills).toBe(killsWanted)
    expectBalanced(await replay({ dir, engineUrl: server.url }))
  }, 300_000)

  it('balances when the server is killed in mid-replay and started again', async () => {
    const shop = await openedBefore()
    let restarted: Promise<void> | undefined
    const end = await replay({
      ...shop,
      onLine: (_, count) => {
        if (count === linesOfPosting / 2) restarted = server.kill().then(() => server.restart())
      },
    })
    expect(restarted).toBeDefined()
    await restarted
    expectBalanced(end, twiceBooks)
  }, 300_000)

  it('balances when both are killed at once', async () => {
    const shop = await openedBefore()
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
    expectBalanced(await replay(shop), twiceBooks)
  }, 300_000)
})

/** Numbers from 0 up to but not 1, the same for a seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
