import fc from 'fast-check'

/** Something a run does. Numbers pick among what there is at that moment, so that every program makes sense. */
export type Operation =
  | { readonly do: 'publish'; readonly records: readonly RecordShape[] }
  | { readonly do: 'grant'; readonly pick: number; readonly credit: number }
  | {
      readonly do: 'ack'
      readonly pick: number
      readonly carry: readonly RecordShape[]
      /** Whether the last record it carries cannot be published. */
      readonly fails: boolean
    }
  | {
      readonly do: 'release'
      readonly pick: number
      readonly counts: boolean
      readonly steps: number
      readonly holds: boolean
    }
  | { readonly do: 'join'; readonly pick: number; readonly credit: number }
  | { readonly do: 'leave'; readonly pick: number }
  | { readonly do: 'cancel'; readonly pick: number }
  | { readonly do: 'wait'; readonly steps: number }
  /** Publishes a record again under its id. */
  | { readonly do: 'repeat'; readonly pick: number }
  | { readonly do: 'prepare'; readonly record: RecordShape }
  | { readonly do: 'resolve'; readonly pick: number; readonly commit: boolean }
  /** A group is moved, after its members have left. */
  | { readonly do: 'seek'; readonly pick: number; readonly to: 'earliest' | 'next' }
  /** A temporary group comes, reads and goes. */
  | { readonly do: 'visit'; readonly records: readonly RecordShape[] }
  | { readonly do: 'restart' }
  /** The process is killed while it publishes. */
  | { readonly do: 'crash'; readonly unanswered: readonly RecordShape[] }

/** A record to publish. */
export interface RecordShape {
  readonly key: string | undefined
  /** Delay in steps of time; 0 for none. */
  readonly steps: number
  /** Whether it is addressed to one group, and which. */
  readonly group: number | undefined
  /** Whether the filter of the first group accepts it, where that has one. */
  readonly wanted: boolean
}

const pick = fc.nat({ max: 1_000 })
const key = fc.constantFrom(undefined, 'a', 'a', 'b', 'c')
const steps = fc.constantFrom(0, 0, 0, 1, 2, 3)
/** Counterexamples are read by people. */
const plain = { noNullPrototype: true } as const
const group = fc.constantFrom(undefined, undefined, undefined, 0, 1)
const shape = fc.record({ key, steps, group, wanted: fc.boolean() }, plain)
const credit = fc.integer({ min: 1, max: 6 })
const fails = fc.constantFrom(false, false, false, true)

const records = fc.array(shape, { maxLength: 5 })
const doing = <K extends Operation['do']>(kind: K) => fc.constant(kind)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: doing('publish'), records }, plain) },
  { weight: 4, arbitrary: fc.record({ do: doing('grant'), pick, credit }, plain) },
  {
    weight: 6,
    arbitrary: fc.record({ do: doing('ack'), pick, carry: fc.array(shape, { maxLength: 1 }), fails }, plain),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: doing('release'), pick, counts: fc.boolean(), steps, holds: fc.boolean() }, plain),
  },
  { weight: 3, arbitrary: fc.record({ do: doing('join'), pick, credit }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('leave'), pick }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('cancel'), pick }, plain) },
  { weight: 2, arbitrary: fc.record({ do: doing('wait'), steps: fc.integer({ min: 1, max: 3 }) }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('repeat'), pick }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('prepare'), record: shape }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('resolve'), pick, commit: fc.boolean() }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('seek'), pick, to: fc.constantFrom('earliest', 'next') }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('visit'), records }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('restart') }, plain) },
  { weight: 1, arbitrary: fc.record({ do: doing('crash'), unanswered: records }, plain) },
)

/** What a run does, and on which kind of channel. */
export interface Program {
  readonly kind: 'log' | 'queue'
  /** Whether members of the first group have a filter. */
  readonly filters: boolean
  /** Whether the channel recognises repeated ids for a while. */
  readonly deduplicates: boolean
  readonly operations: readonly Operation[]
}

/** Programs of up to `operationsMax` operations; smaller ones are tried when one fails. */
export function programs(operationsMax: number): fc.Arbitrary<Program> {
  const kind = fc.constantFrom('log' as const, 'queue' as const)
  const operations = fc.array(operation, { maxLength: operationsMax, size: 'max' })
  return fc.record({ kind, filters: fc.boolean(), deduplicates: fc.boolean(), operations }, plain)
}

/** One of these, or none where there are none. */
export function pickOf<T>(all: readonly T[], pick: number): T | undefined {
  return all.length === 0 ? undefined : all[pick % all.length]
}
