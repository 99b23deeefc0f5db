import {
  type Engine,
  type EngineCapabilities,
  type EventPattern,
  type Issue,
  type MessageContract,
  PosthasteError,
} from '@posthaste/contracts'
import type { HandlerSettings } from './consuming/options.ts'
import { channelNeeds, channelOf } from './topology.ts'

/** A handler, and what it asks of the engine. */
export interface Demand {
  readonly contract: MessageContract | EventPattern
  readonly settings: HandlerSettings
}

/**
 * Compares what handlers need with what the engine can do. What is missing is refused before anything starts, never
 * ignored: what the core guarantees, it guarantees on every engine that an application starts on.
 *
 * @throws CAPABILITY_UNSUPPORTED with an issue per missing capability and handler
 */
export function checkRequirements(demands: readonly Demand[], engine: Engine): void {
  const issues = demands.flatMap((demand) => missing(demand, engine.capabilities))
  if (issues.length === 0) return
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  // Only whoever makes a bus without an application can have left it out.
  const remedy = engine.capabilities.keyOrder === 'partitions' ? 'Give the bus complete(engine).' : undefined
  throw new PosthasteError('CAPABILITY_UNSUPPORTED', `engine ${engine.name}: ${told}`, { issues, remedy })
}

function missing({ contract, settings }: Demand, can: EngineCapabilities): Issue[] {
  const { group, from, lifetime, ladder, errors, delivery, inbox, prefetch, prefetchGiven, timeoutMs } = settings
  const isPattern = contract.kind === 'pattern'
  // What a pattern matches may have a key wherever there are keys.
  const keyed = isPattern ? can.keyOrder !== 'none' : contract.key !== undefined
  const retries = [ladder, ...errors.flatMap((rule) => rule.ladder ?? [])].some(({ delayed }) => delayed > 0)
  const once = delivery === 'exactly-once' && inbox === undefined
  const refusing = refusingPolicies(settings)
  const refuses = refusing !== ''
  const retention = contract.kind === 'event' ? contract.retention : undefined
  const needs = isPattern ? [] : channelNeeds(channelOf(contract), can)
  const checks: readonly (readonly [boolean, string])[] = [
    ...needs.map((message) => [true, message] as const),
    [isPattern && can.patterns === 'none', 'is a pattern, which needs patterns'],
    [retries && can.delay === 'none', 'retries later, which needs delay; retry: false does without'],
    [
      retries && keyed && can.holdKey === 'none',
      'has a key and retries later, which needs holdKey; retry: false does without',
    ],
    [refuses && can.delay === 'none', `has ${refusing}, which needs delay`],
    [refuses && keyed && can.holdKey === 'none', `has a key and ${refusing}, which needs holdKey`],
    [can.attempts !== 'exact', `counts attempts over crashes, which needs attempts to be exact, not ${can.attempts}`],
    [
      contract.kind !== 'command' && from === 'earliest' && can.history === 'none',
      "begins 'earliest', which needs history",
    ],
    [once && can.atomicSettle === 'none', 'is delivered exactly once, which needs atomicSettle; an inbox does without'],
    [lifetime === 'temporary' && can.temporaryGroups === 'none', 'has a temporary group, which needs temporaryGroups'],
    [retention !== undefined && can.history === 'none', 'has a retention, which needs history'],
    [
      prefetchGiven && prefetch > can.unsettledMax,
      `asks for prefetch ${prefetch}; the engine takes ${can.unsettledMax}`,
    ],
    [
      timeoutMs !== undefined && timeoutMs > can.unsettledMsMax,
      `may take ${timeoutMs} ms; the engine takes deliveries back after ${can.unsettledMsMax} ms`,
    ],
  ]
  const path = `${isPattern ? contract.pattern : contract.type}@${group}`
  return checks.filter(([isMissing]) => isMissing).map(([, message]) => ({ path, message }))
}

/** What may refuse a message, so that it has to wait: `breaker, a stack of its own`; empty where nothing may. */
function refusingPolicies({ policies, stack }: HandlerSettings): string {
  const named = Object.entries(policies).flatMap(([name, policy]) =>
    policy === undefined || policy === false ? [] : name,
  )
  return [...named, ...(stack === undefined ? [] : ['a stack of its own'])].join(', ')
}
