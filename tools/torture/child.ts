/*
 * The system under test, as a process of its own that is made to be killed. Its argument says which life it is; what it
 * does and sees, it journals.
 */
import { join } from 'node:path'
import process from 'node:process'
import { autopsy } from './ending/autopsy.ts'
import { drain } from './ending/drain.ts'
import { inspect } from './ending/inspect.ts'
import { healingIn } from './healing.ts'
import { openJournal } from './journal.ts'
import { type LoadOptions, load } from './load/load.ts'
import { assemble } from './system.ts'
import { temporaryGroupsIn } from './temporary-groups.ts'

/**
 * What a life is for. `load`: to be killed under load. `drain`: to handle what is left, and to end well. `inspect`: to
 * find that nothing is left, and to tell what is stored. `autopsy`: to look at what the system leaves behind.
 */
export interface ChildOptions extends LoadOptions {
  readonly purpose: 'load' | 'drain' | 'inspect' | 'autopsy'
}

const options = JSON.parse(process.argv[2]!) as ChildOptions
const { runDir, purpose, life } = options
const journal = openJournal(join(runDir, `life-${life}.ndjson`))

process.on('unhandledRejection', (error) =>
  journal.write({ t: 'error', text: `unhandled rejection: ${String(error)}` }),
)
if (purpose === 'autopsy') {
  process.stdout.write('ready\n')
  await autopsy(runDir, journal)
} else await live()
journal.close()

async function live(): Promise<void> {
  const healing = healingIn(runDir)
  const system = assemble({ runDir, journal, healing, temporaryGroups: temporaryGroupsIn(runDir) })
  await system.app.start()
  journal.write({ t: 'ready', atMs: Date.now() })
  process.stdout.write('ready\n')
  if (purpose === 'load') await load(system, healing, options)
  if (purpose === 'drain') await drain(system, life)
  if (purpose === 'inspect') await inspect(system, life)
  await system.app.close()
}
