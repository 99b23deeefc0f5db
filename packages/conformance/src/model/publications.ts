import type { OutgoingRecord, PreparedName } from '@posthaste/contracts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import type { GroupModel, ModelEntry } from './model.ts'
import { pickOf, type RecordShape } from './operations.ts'

/**
 * How late a server may forget an id whose time is over, in milliseconds: it looks now and then, and not at once where it is
 * busy.
 */
const forgetsWithinMs = { virtual: 0, machine: 500 } as const

/** What publications are made on. */
export interface PublicationSurroundings {
  readonly context: CaseContext
  readonly channel: TestChannel
  readonly groups: ReadonlyMap<string, GroupModel>
  /** A unit of time, in milliseconds. */
  readonly stepMs: number
  /** Whether a group is to see a record, for all that its filter says. */
  readonly accepts: (group: string, record: OutgoingRecord) => boolean
}

/** A record on its way into the channel. */
export interface Publication {
  readonly record: OutgoingRecord
  readonly fromMs: number
  readonly entries: readonly (readonly [GroupModel, ModelEntry])[]
}

/** What a program publishes, in whatever way, told to the models of the groups that are to see it. */
export class Publications {
  readonly #surroundings: PublicationSurroundings
  /** What was confirmed, and the time within which it was stored. */
  readonly #stored = new Map<string, { record: OutgoingRecord; fromMs: number; untilMs: number }>()
  #prepared: readonly OutgoingRecord[] = []
  #sequence = 0

  constructor(surroundings: PublicationSurroundings) {
    this.#surroundings = surroundings
  }

  record({ key, steps, group, wanted }: RecordShape): OutgoingRecord {
    const { context, channel, groups, stepMs } = this.#surroundings
    const { delay, groupAddress } = context.capabilities
    const address = groupAddress === 'native' && group !== undefined ? pickOf([...groups.keys()], group) : undefined
    const dueAtMs = delay === 'native' && steps > 0 ? context.nowMs() + steps * stepMs : undefined
    return channel.record({ key, group: address, dueAtMs, headers: { tag: wanted ? 'yes' : 'no' } })
  }

  /** Records are about to be published: from here on they may be delivered. */
  begin(records: readonly OutgoingRecord[]): readonly Publication[] {
    const { context, groups, accepts } = this.#surroundings
    const fromMs = context.nowMs()
    return records.map((record) => {
      this.#sequence += 1
      const seeing = [...groups].filter(
        ([group]) => (record.group === undefined || record.group === group) && accepts(group, record),
      )
      const entries = seeing.map(([, model]) => [model, model.publishing(record, this.#sequence, fromMs)] as const)
      return { record, fromMs, entries }
    })
  }

  /** They were confirmed: from here on they must be delivered. */
  confirm(publications: readonly Publication[]): void {
    const nowMs = this.#surroundings.context.nowMs()
    for (const { record, fromMs, entries } of publications) {
      for (const [model, entry] of entries) model.published(entry, nowMs)
      // Once they are delivered, a delayed record and its repetition could not be told apart.
      if (record.group === undefined && record.dueAtMs === undefined)
        this.#stored.set(record.id, { record, fromMs, untilMs: nowMs })
    }
  }

  async publish(shapes: readonly RecordShape[]): Promise<readonly OutgoingRecord[]> {
    const records = shapes.map((shape) => this.record(shape))
    const publications = this.begin(records)
    await this.#surroundings.channel.publish(...records)
    this.confirm(publications)
    return records
  }

  /** Publishes again what was confirmed: it is stored again once the window of the channel is over, where it has one. */
  async repeat(pick: number): Promise<void> {
    const { context, channel } = this.#surroundings
    const before = pickOf([...this.#stored.values()], pick)
    if (before === undefined) return
    const publications = this.begin([before.record])
    await channel.publish(...publications.map(({ record }) => record))
    const windowMs = channel.spec.deduplicateForMs ?? 0
    const overMs =
      windowMs === 0 ? 0 : windowMs + forgetsWithinMs[context.underTest.advance === undefined ? 'machine' : 'virtual']
    if (publications.every(({ fromMs }) => fromMs >= before.untilMs + overMs)) this.confirm(publications)
    else if (context.nowMs() < before.fromMs + windowMs) this.#retract(publications)
    // On a clock that runs nobody can say on which side of its end that was: the next one could not be told from it.
    else this.#stored.delete(before.record.id)
  }

  #retract(publications: readonly Publication[]): void {
    for (const { record, entries } of publications) {
      for (const [model, entry] of entries) {
        if (entry.standing !== 'maybe') this.#surroundings.context.witness.accuse(`${record.id} was stored again`)
        model.removed(entry)
      }
    }
  }

  // ── Prepared records ──────────────────────────────────────────────────────────────────────────────────────────────

  async prepare(shape: RecordShape): Promise<void> {
    const { preparing } = this.#surroundings.context.engine
    if (preparing === undefined) return
    const record = this.record(shape)
    const outcome = await preparing.prepare(record, this.#surroundings.context.nowMs())
    if (!outcome.ok) throw outcome.error
    this.#prepared = [...this.#prepared, record]
  }

  /** Decides about a prepared record, from this process or an earlier one. */
  async resolve(pick: number, commit: boolean): Promise<void> {
    const record = pickOf(this.#prepared, pick)
    const { preparing } = this.#surroundings.context.engine
    if (record === undefined || preparing === undefined) return
    this.#prepared = this.#prepared.filter((other) => other !== record)
    const names: readonly PreparedName[] = [record]
    const publications = commit ? this.begin([record]) : []
    const outcomes = await (commit ? preparing.commit(names) : preparing.rollback(names))
    for (const outcome of outcomes) if (!outcome.ok) throw outcome.error
    this.confirm(publications)
  }
}
