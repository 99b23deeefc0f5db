import type { Engine, MessageContract, OutgoingRecord, RecordFilter, RequestContract } from '@posthaste/contracts'
import { checkWithin, refuseOptions } from '../../pipeline/options.ts'
import { buildStack, editStack, type FilterDeps, type FilterStack } from '../../pipeline/stack.ts'
import type { Bodies } from '../bodies/bodies.ts'
import { deadLetterChannel } from '../dead-letters/dead-letter.ts'
import type { CompiledFilter } from '../filtering/filter.ts'
import { type FailureRules, isWorthAnotherNow } from './after-failure.ts'
import { Aftermath } from './aftermath.ts'
import { Answering } from './answering.ts'
import { AtMostOnce } from './at-most-once.ts'
import type { ErasedHandler } from './attempt.ts'
import { batchHandling } from './batch-handling.ts'
import type { ErasedBatchHandler } from './batch-message.ts'
import type { ConsumerInit } from './consumer.ts'
import type { ContextScope } from './context.ts'
import { handling } from './handling.ts'
import { Inbox } from './inbox.ts'
import type { HandlerSettings } from './options.ts'
import { consumerStack } from './stacks.ts'
import type { SubscriptionCounters } from './stats.ts'

/** What the parts of a subscription's consumers are made of. */
export interface AssemblyInit {
  readonly contract: MessageContract
  readonly settings: HandlerSettings
  /** Takes batches where the settings have any. */
  readonly handler: ErasedHandler | ErasedBatchHandler
  readonly engine: Engine
  readonly bodies: Bodies
  /** The engine's name of the group; the settings' own, but for a broadcast. */
  readonly engineGroup: string
  readonly scope: Pick<ContextScope, 'composer' | 'admit'>
  /** Its target names the subscription: `shop.order.created@points`. */
  readonly deps: FilterDeps
}

/** What all consumers of one subscription share. */
export type Assembly = Pick<ConsumerInit, 'handling' | 'atMostOnce' | 'batches' | 'stack'> & {
  /** What the engine is to filter by, where it can. */
  readonly filter: RecordFilter | undefined
  /** What is decided by an engine's capabilities, which are final only once it is open. */
  readonly forEngine: () => Pick<ConsumerInit, 'accepts' | 'aftermath' | 'capabilities'>
}

/**
 * Puts the parts of a subscription together, once: what its options do not ask for is not there at all.
 * @throws CONFIG_INVALID when options of the stack are wrong
 */
export function assemble(init: AssemblyInit, counters: SubscriptionCounters): Assembly {
  const { contract, settings, handler, engine, bodies, engineGroup, deps } = init
  const { ladder, errors, batch, group } = settings
  const rules: FailureRules = { ladder, errors, random: deps.random }
  const ladders = [ladder, ...errors.flatMap((rule) => rule.ladder ?? [])]
  const immediate = Math.max(...ladders.map((each) => each.immediate))
  const retryOn = (thrown: unknown, made: number): boolean => isWorthAnotherNow(thrown, made, rules)
  const stack = checkWithin(contract.type, () => stackOf(settings, { immediate, retryOn, deps }))
  const scope: ContextScope = { ...init.scope, group, engineGroup, triesMax: immediate + 1 }
  const answering = answeringOf(init)
  const inbox = settings.inbox && new Inbox({ settings: settings.inbox, group: engineGroup, engine, deps })
  const read = bodies.reader(contract.type, contract)
  const single = handling({ handler: handler as ErasedHandler, read, stack, scope, answering, inbox, deps })
  const filter = settings.filter && recordFilter(settings.filter, counters, deps)
  return {
    stack,
    handling: single,
    batches: batch && {
      settings: batch,
      handling: batchHandling({ handler: handler as ErasedBatchHandler, read, stack, scope, retryOn, deps }),
    },
    atMostOnce:
      settings.delivery === 'at-most-once'
        ? new AtMostOnce({ handling: single, answering, engine, counters, deps })
        : undefined,
    filter,
    forEngine() {
      const { capabilities } = engine
      return {
        capabilities,
        accepts: capabilities.filter === 'native' ? undefined : filter?.accepts,
        aftermath: new Aftermath({
          group: engineGroup,
          deadLetters: (target) => deadLetterChannel(contract.type, group, target).name,
          rules,
          delayedMax: Math.max(...ladders.map((each) => each.delayed)),
          expired: settings.expired,
          answering,
          capabilities,
          counters,
          deps,
        }),
      }
    },
  }
}

function stackOf(
  { stack, timeoutMs, policies, batch }: HandlerSettings,
  how: {
    readonly immediate: number
    readonly retryOn: (thrown: unknown, made: number) => boolean
    readonly deps: FilterDeps
  },
): FilterStack {
  const { immediate, retryOn, deps } = how
  const editor = editStack(consumerStack)
  const { slots } = stack?.(editor) ?? editor
  const built = buildStack(slots, { ...policies, immediate, retryOn, timeoutMs }, deps)
  if (batch !== undefined) refuseIdempotency(built)
  return built
}

/** A batch has many messages, and the next one has others: its first message's result would settle them unhandled. */
function refuseIdempotency({ filters }: FilterStack): void {
  if (filters.every(({ role }) => role !== 'idempotency')) return
  refuseOptions([{ path: 'idempotency', message: 'remembers one message at a time, and batches have many' }])
}

function answeringOf({ contract, engine, engineGroup, scope, deps }: AssemblyInit): Answering | undefined {
  if (!isRequestContract(contract)) return undefined
  return new Answering({
    command: contract,
    composer: scope.composer,
    group: engineGroup,
    target: deps.target,
    nowMs: () => deps.clock.nowMs(),
    headerBytesMax: () => engine.capabilities.headerBytesMax,
  })
}

function isRequestContract(contract: MessageContract): contract is RequestContract {
  return contract.kind === 'command' && contract.reply !== undefined
}

/** A filter for one subscription, which counts what it cannot evaluate. */
function recordFilter(filter: CompiledFilter, counters: SubscriptionCounters, deps: FilterDeps): RecordFilter {
  const { tags, headers, sql, matches } = filter
  const accepts = (record: OutgoingRecord): boolean => {
    const result = matches(record)
    if (typeof result === 'boolean') return result
    counters.filterErrors += 1
    deps.log.debug('a filter has no value for a message', {
      target: deps.target,
      id: record.id,
      reason: result.message,
    })
    return false
  }
  return { tags, headers, sql, accepts }
}
