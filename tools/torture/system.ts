import { join } from 'node:path'
import type { EventContract, Log } from '@posthaste/contracts'
import { type DurableEngine, embedded } from '@posthaste/embedded'
import { fileStore } from '@posthaste/file-store'
import { msgpack } from '@posthaste/msgpack'
import { type App, type DeadLetters, type GroupControl, type MessageContract, posthaste } from 'posthaste'
import {
  audit,
  clockGroup,
  Halves,
  Live,
  News,
  overBytes,
  recurrences,
  Tick,
  type TortureCommand,
  type TortureEvent,
} from './contracts.ts'
import { type Flow, type Follower, flows, ladderOf } from './flows.ts'
import { batchHandlerOf, type HandlerDeps, handlerOf, witnessOf } from './handlers.ts'
import type { Healing } from './healing.ts'
import type { Journal } from './journal.ts'
import { resolutionOf } from './resolution.ts'
import type { TemporaryGroups } from './temporary-groups.ts'

/** The system under test: an application on the embedded engine with everything the torture does. */
export interface System {
  readonly app: App
  readonly engine: DurableEngine
  readonly journal: Journal
}

/** What a system is made of. */
export interface SystemInit {
  readonly runDir: string
  readonly journal: Journal
  readonly healing: Healing
  readonly temporaryGroups: TemporaryGroups
}

/** Where the system keeps its data. */
export const dataDirOf = (runDir: string): string => join(runDir, 'data')

/** Assembles it; starting is left to the caller. */
export function assemble({ runDir, journal, healing, temporaryGroups }: SystemInit): System {
  const engine = temporaryGroups.watch(embedded({ dir: dataDirOf(runDir) }))
  const claimCheck = { store: fileStore({ dir: join(runDir, 'bodies') }), overBytes }
  const log = errorsTo(journal)
  const app = posthaste({ name: 'torture', engine, log, signals: false, claimCheck, codecs: [msgpack()] })
  const deps = { journal, healing }
  for (const flow of flows) {
    for (const follower of flow.followers) follow(app, { flow, follower }, deps)
  }
  app.on(News, { group: audit.group, from: 'earliest' }, witnessOf(audit.group, deps))
  for (const [group, options] of liveGroups) app.on(Live, { group, ...options }, witnessOf(group, deps))
  askBack(app, journal)
  recur(app, journal)
  return { app, engine, journal }
}

/** Groups that live no longer than the process. */
export const liveGroups = [
  ['screen', { broadcast: true }],
  ['visitor', { lifetime: 'temporary' }],
] as const

function follow(app: App, { flow, follower }: { flow: Flow; follower: Follower }, deps: HandlerDeps): void {
  const { contract, leadsTo } = flow
  const { group, batch, wants: _, mayMiss: _missing, ...rest } = follower
  const retry = follower.delivery === 'at-most-once' ? {} : { retry: ladderOf(group) }
  const options = { ...rest, ...retry }
  const place = { channel: contract.type, group, ...(leadsTo && { leadsTo }) }
  if (batch !== undefined && contract.kind === 'event')
    app.onBatch(contract, { ...options, group, from: 'earliest', batch }, batchHandlerOf(place, deps))
  else if (contract.kind === 'event') app.on(contract, { ...options, group, from: 'earliest' }, handlerOf(place, deps))
  else app.handle(contract, options, handlerOf(place, deps))
}

function askBack(app: App, journal: Journal): void {
  app.onUnresolved(Halves, { backoff: { baseMs: 20, maxMs: 100 }, checksMax: 100 }, ({ id, checks }) => {
    const { decision, unknownTimes } = resolutionOf(id)
    if (checks < unknownTimes) return 'unknown'
    journal.write({ t: 'deciding', id, by: 'check-back' })
    return decision
  })
}

function recur(app: App, journal: Journal): void {
  for (const { name, cron, missed } of recurrences)
    app.recur(Tick, { name, cron, missed, data: (forMs) => ({ name, forMs }) })
  app.on(Tick, { group: clockGroup, from: 'earliest' }, ({ name, forMs }, { id }) => {
    journal.write({ t: 'tick', id, name, forMs, atMs: Date.now() })
  })
}

/** The dead letters of a group of either kind of contract. */
export function deadLettersOf(
  app: App,
  contract: MessageContract,
  of: { group: string; target?: string },
): DeadLetters {
  return contract.kind === 'event' ? app.deadLetters(contract, of) : app.deadLetters(contract, of)
}

/** What controls a group of either kind of contract. */
export function groupOf(
  app: App,
  contract: TortureEvent | TortureCommand | EventContract,
  group: string,
): GroupControl {
  return contract.kind === 'event' ? app.group(contract, { group }) : app.group(contract, { group })
}

/** Nothing in a torture is to be an error: what is logged as one is found by the judge. */
export function errorsTo(journal: Journal): Log {
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
