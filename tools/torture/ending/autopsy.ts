import { join } from 'node:path'
import { type Engine, type EngineHost, PosthasteError } from '@posthaste/contracts'
import { embedded } from '@posthaste/embedded'
import { systemClock } from 'posthaste/pipeline'
import { Kept } from '../contracts.ts'
import type { Journal } from '../journal.ts'
import { snapshotsDirOf, wholeSnapshots } from '../load/snapshots.ts'
import { dataDirOf, errorsTo } from '../system.ts'
import { temporaryGroupsIn } from '../temporary-groups.ts'

const pageSize = 1_000

/** Opens what the system leaves behind, without the system: its data, and the last snapshots. */
export async function autopsy(runDir: string, journal: Journal): Promise<void> {
  await opened(dataDirOf(runDir), journal, (engine) => tellLeftOver(runDir, engine, journal))
  for (const name of wholeSnapshots(runDir)) {
    await opened(join(snapshotsDirOf(runDir), name), journal, async (engine) => {
      journal.write({ t: 'restored', name, ids: await idsIn(engine, Kept.type) })
    })
  }
}

async function opened(dir: string, journal: Journal, look: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = embedded({ dir })
  const host: EngineHost = {
    clock: systemClock,
    log: errorsTo(journal),
    instance: 'autopsy',
    random: Math.random,
    onState: (state, cause) => {
      if (state !== 'connected') journal.write({ t: 'error', text: `${dir} is ${state}: ${String(cause)}` })
    },
  }
  try {
    await engine.open(host)
    await look(engine)
  } catch (error) {
    journal.write({ t: 'error', text: `looking into ${dir}: ${String(error)}` })
  } finally {
    await engine.close()
  }
}

async function tellLeftOver(runDir: string, engine: Engine, journal: Journal): Promise<void> {
  const all = temporaryGroupsIn(runDir).all()
  journal.write({ t: 'temporary', count: all.length })
  for (const { channel, group } of all) {
    try {
      await engine.lag!.lag(channel, group)
      journal.write({ t: 'left-over', channel, group })
    } catch (error) {
      if (!PosthasteError.is(error, 'NOT_FOUND')) throw error
    }
  }
}

async function idsIn(engine: Engine, channel: string): Promise<string[]> {
  const ids: string[] = []
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await engine.browsing!.browse({ channel, limit: pageSize, after })
    ids.push(...page.records.map(({ record }) => record.id))
    after = page.next
  }
  return ids
}
