import type { CommandContract, Engine, EventContract, Log } from '@posthaste/contracts'
import { embedded } from '@posthaste/embedded'
import { type App, type DeadLetters, posthaste } from 'posthaste'
import { flows, ladderOf } from './contracts.ts'
import { handlerOf } from './handlers.ts'
import type { Healing } from './healing.ts'
import type { Journal } from './journal.ts'

/** The system under test: an application on the embedded engine with everything the torture does. */
export interface System {
  readonly app: App
  readonly engine: Engine
  readonly journal: Journal
}

/** Assembles it; starting is left to the caller. */
export function assemble(dataDir: string, journal: Journal, healing: Healing): System {
  const engine = embedded({ dir: dataDir })
  const app = posthaste({ name: 'torture', engine, log: errorsTo(journal), signals: false })
  for (const { contract, groups } of flows) {
    for (const group of groups) {
      const handler = handlerOf({ channel: contract.type, group }, { journal, healing })
      const retry = ladderOf(group)
      if (contract.kind === 'event') app.on(contract, { group, retry, from: 'earliest' }, handler)
      else app.handle(contract, { retry }, handler)
    }
  }
  return { app, engine, journal }
}

/** The dead letters of a group of either kind of contract. */
export function deadLettersOf(app: App, contract: EventContract | CommandContract, group: string): DeadLetters {
  return contract.kind === 'event' ? app.deadLetters(contract, { group }) : app.deadLetters(contract, { group })
}

/** Nothing in a torture is to be an error: what is logged as one is found by the judge. */
function errorsTo(journal: Journal): Log {
  const silent = (): void => {}
  return {
    debug: silent,
    info: silent,
    warn: silent,
    error: (message, fields) => {
      const facts = Object.entries(fields ?? {}).map(([name, value]) => `${name}=${String(value)}`)
      journal.write({ t: 'error', text: [message, ...facts].join(' ') })
    },
  }
}
