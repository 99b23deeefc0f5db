/*
 * The system under test, as a process of its own that is made to be killed. Its argument says which life it is; what it
 * does and sees, it journals.
 */
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Downstream, flows } from './contracts.ts'
import { healingIn } from './healing.ts'
import { openJournal } from './journal.ts'
import { Load, type LoadOptions } from './load.ts'
import { assemble, deadLettersOf, type System } from './system.ts'

/**
 * What a life is for. `load`: to be killed under load. `drain`: to handle what is left, and to end well. `inspect`: to
 * find that nothing is left, and to tell what is stored.
 */
export interface ChildOptions extends LoadOptions {
  readonly purpose: 'load' | 'drain' | 'inspect'
  readonly runDir: string
}

/** Longer than anything is scheduled ahead. */
const scheduledMsMax = 1_300
/** Long enough for anything that is to be delivered to be delivered. */
const afterlifeMs = 300
const pageSize = 1_000

const options = JSON.parse(process.argv[2]!) as ChildOptions
const journal = openJournal(join(options.runDir, `life-${options.life}.ndjson`))
const healing = healingIn(options.runDir)
const system = assemble(join(options.runDir, 'data'), journal, healing)

process.on('unhandledRejection', (error) =>
  journal.write({ t: 'error', text: `unhandled rejection: ${String(error)}` }),
)
await system.app.start()
process.stdout.write('ready\n')
if (options.purpose === 'load') await new Load(system, healing, options).run()
if (options.purpose === 'drain') await drain(system)
if (options.purpose === 'inspect') await inspect(system)
await system.app.close()
journal.close()

async function drain({ engine }: System): Promise<void> {
  await sleep(scheduledMsMax)
  while ((await unsettled(engine)).some(({ count }) => count > 0)) await sleep(50)
}

async function inspect({ app, engine }: System): Promise<void> {
  await sleep(afterlifeMs)
  for (const { channel, group, count } of await unsettled(engine))
    journal.write({ t: 'lag', channel, group, unsettled: count })
  for (const { contract, groups } of flows) {
    for (const group of groups) await tellDead(app, contract, group)
  }
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await engine.browsing!.browse({ channel: Downstream.type, limit: pageSize, after })
    for (const { record } of page.records) journal.write({ t: 'stored', channel: Downstream.type, id: record.id })
    after = page.next
  }
}

async function tellDead(
  app: System['app'],
  contract: (typeof flows)[number]['contract'],
  group: string,
): Promise<void> {
  const letters = deadLettersOf(app, contract, group)
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await letters.browse({ limit: pageSize, ...(after === undefined ? {} : { after }) })
    for (const { id, key, code, attempts, data, headers } of page.letters) {
      const body = Buffer.from(data).toString('base64')
      const { torturetag: tag, type } = headers
      journal.write({ t: 'dead', channel: contract.type, group, id, key, code, attempts, body, tag, type })
    }
    after = page.next
  }
}

async function unsettled(engine: System['engine']): Promise<{ channel: string; group: string; count: number }[]> {
  const places = flows.flatMap(({ contract, groups }) => groups.map((group) => ({ channel: contract.type, group })))
  return Promise.all(
    places.map(async (place) => {
      const { ready, waiting, inFlight } = await engine.lag!.lag(place.channel, place.group)
      return { ...place, count: ready + waiting + inFlight }
    }),
  )
}
