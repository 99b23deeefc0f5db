import assert from 'node:assert/strict'
import type { OutgoingRecord, RecordFilter, Settlement } from '@posthaste/contracts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectRefused, expectRejection } from '../expect.ts'
import type { Member } from '../member.ts'
import { realMs } from '../pacing.ts'
import type { Received } from '../witness.ts'
import { GroupModel, type ModelEntry } from './model.ts'
import { type Operation, type Program, pickOf, type RecordShape } from './operations.ts'
import { Publications } from './publications.ts'

/** A unit of time in a program where the machine's clock has to be waited for, in milliseconds. */
const realStepMs = 25

/** Keeps everything for longer than any program takes. */
const retention = { forMs: 60 * 86_400_000 }

/** For how many units of time repeated ids are recognised; and for how long at least, in milliseconds: servers ask for it. */
const windowSteps = 2
const windowMsMin = 100

/** What the members of the first group want, where they have a filter. */
const wanted: RecordFilter = { tags: ['yes'], accepts: ({ headers }) => headers.tag === 'yes' }

/** Runs a program on an engine and on the model side by side. */
export async function runProgram(program: Program, context: CaseContext): Promise<void> {
  const { history, filter, deduplicateForMsMax } = context.capabilities
  const stepMs = context.underTest.advance === undefined ? realStepMs : context.delayMs
  const { kind, filters, deduplicates } = program
  const groups = kind === 'log' ? ['a', 'b'] : ['a']
  const windowMs = Math.max(windowSteps * stepMs, windowMsMin)
  const channel = await context.channel({
    kind,
    groups,
    ...(kind === 'log' && history === 'native' ? { retention } : {}),
    ...(deduplicates && windowMs <= deduplicateForMsMax ? { deduplicateForMs: windowMs } : {}),
  })
  const filterOf = (group: string) => (filters && filter === 'native' && group === 'a' ? wanted : undefined)
  const run = new ProgramRun({ context, channel, groups, stepMs, filterOf })
  for (const operation of program.operations) await run.perform(operation)
  await run.finish()
}

/** What a program runs on. */
interface ProgramSurroundings {
  readonly context: CaseContext
  readonly channel: TestChannel
  readonly groups: readonly string[]
  readonly stepMs: number
  readonly filterOf: (group: string) => RecordFilter | undefined
}

/** A delivery that is with its member, on both sides. */
interface PickedDelivery {
  readonly member: Member
  readonly received: Received
  readonly model: GroupModel
  readonly entry: ModelEntry
}

class ProgramRun {
  readonly #context: CaseContext
  readonly #channel: TestChannel
  readonly #groups: ReadonlyMap<string, GroupModel>
  readonly #publications: Publications
  readonly #filterOf: ProgramSurroundings['filterOf']
  readonly #stepMs: number
  #members: Member[] = []

  constructor({ context, channel, groups: names, stepMs, filterOf }: ProgramSurroundings) {
    this.#context = context
    this.#channel = channel
    this.#stepMs = stepMs
    this.#filterOf = filterOf
    const ranges = context.hasRanges(channel.spec)
    const traits = {
      keyed: channel.spec.keyed,
      exactAttempts: context.capabilities.attempts === 'exact',
      ranges,
      suspectsYoung: ranges,
      countsHandOvers: ranges && context.declared.attempts === 'hand-overs',
      delayPrecisionMs: context.capabilities.delayPrecisionMs,
    }
    const groups = new Map(names.map((group) => [group, new GroupModel(traits)]))
    this.#groups = groups
    const accepts = (group: string, record: OutgoingRecord) => filterOf(group)?.accepts(record) ?? true
    this.#publications = new Publications({ context, channel, groups, stepMs, accepts })
  }

  get #hasRanges(): boolean {
    return this.#context.hasRanges(this.#channel.spec)
  }

  async perform(operation: Operation): Promise<void> {
    await this.#do(operation)
    await this.#quiet()
  }

  async #do(operation: Operation): Promise<void> {
    switch (operation.do) {
      case 'publish':
        return void (await this.#publications.publish(operation.records))
      case 'grant':
        return this.#pickMember(operation.pick)?.grant(operation.credit)
      case 'ack':
        return this.#ack(operation)
      case 'release':
        return this.#release(operation)
      case 'join':
        return this.#join(pickOf([...this.#groups.keys()], operation.pick), operation.credit)
      case 'leave':
        return this.#leave(this.#pickMember(operation.pick))
      case 'cancel':
        return this.#cancel(operation.pick)
      case 'repeat':
        return this.#publications.repeat(operation.pick)
      case 'prepare':
        return this.#publications.prepare(operation.record)
      case 'resolve':
        return this.#publications.resolve(operation.pick, operation.commit)
      case 'seek':
        return this.#seek(operation)
      case 'visit':
        return this.#visit(operation.records)
      case 'wait':
        return this.#context.reach(this.#context.nowMs() + operation.steps * this.#stepMs)
      case 'restart':
        await this.#context.restart()
        return this.#reopened(() => this.#allReturned())
      case 'crash':
        return this.#crash(operation.unanswered)
    }
  }

  // ── Operations ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #ack({ pick, carry, fails }: Extract<Operation, { do: 'ack' }>): Promise<void> {
    const found = this.#pickDelivery(pick)
    if (found === undefined) return
    const { received, model, entry } = found
    if (fails) return this.#failToAck(found)
    const records = carry.map((shape) => this.#publications.record(shape))
    const publications = this.#publications.begin(records)
    const { attempts } = entry
    // Its key may go on even before the answer is here; that it fails is nothing the model knows.
    model.acknowledged(entry)
    const inTime = await this.#settle(found, { kind: 'ack', tag: received.tag, publish: records })
    if (inTime) this.#publications.confirm(publications)
    else model.tooLate(entry, attempts, this.#context.nowMs())
  }

  /** @returns whether it was in time: only a key range goes to others while its reader lives and has done nothing wrong */
  async #settle({ member }: PickedDelivery, settlement: Settlement): Promise<boolean> {
    const [outcome] = await member.settle([settlement])
    if (outcome === undefined || outcome.ok) return true
    if (!this.#hasRanges || outcome.error.code !== 'DELIVERY_LOST') throw outcome.error
    return false
  }

  async #failToAck({ member, received, model }: PickedDelivery): Promise<void> {
    const nowhere = { ...this.#channel.record(), channel: this.#context.unique('nowhere') }
    const [outcome] = await member.settle([{ kind: 'ack', tag: received.tag, publish: [nowhere] }])
    const isLost = outcome?.ok === false && outcome.error.code === 'DELIVERY_LOST'
    if (this.#hasRanges && isLost) return model.lost(received)
    expectRefused(outcome, 'NOT_FOUND')
  }

  async #release(how: Extract<Operation, { do: 'release' }>): Promise<void> {
    const found = this.#pickDelivery(how.pick)
    if (found === undefined) return
    const { received, model, entry } = found
    const { delay, holdKey } = this.#context.capabilities
    const waits = delay === 'native' && how.steps > 0
    const holds = holdKey === 'native' && how.holds && this.#channel.spec.keyed
    const nowMs = this.#context.nowMs()
    const untilMs = waits ? nowMs + how.steps * this.#stepMs : nowMs
    const { attempts } = entry
    model.releasing(entry, { counts: how.counts, untilMs })
    const when = waits ? { visibleAtMs: untilMs } : {}
    const release = { kind: 'release', tag: received.tag, countsAttempt: how.counts, holdKey: holds, ...when } as const
    if (await this.#settle(found, release)) model.released(entry, { waits, holds })
    else model.tooLate(entry, attempts, this.#context.nowMs())
  }

  async #join(group: string | undefined, credit: number): Promise<void> {
    if (group === undefined || this.#members.length >= 6) return
    const model = this.#groups.get(group)
    const watch = (received: Received) => {
      for (const fault of model?.delivered(received) ?? []) this.#context.witness.accuse(fault)
    }
    // Only a key range moves while its reader lives and its connection stands.
    const watchLost = this.#hasRanges ? (received: Received) => model?.lost(received) : undefined
    this.#members.push(await this.#channel.join(group, { credit, watch, watchLost, filter: this.#filterOf(group) }))
  }

  async #leave(member: Member | undefined): Promise<void> {
    if (member === undefined) return
    this.#members = this.#members.filter((other) => other !== member)
    const model = this.#groups.get(member.scope.group)
    // While it leaves, what it had may come to others; only then is it certain that it must.
    for (const entry of model?.entries ?? []) {
      if (entry.standing === 'inFlight' && entry.member === member.name) {
        model?.releasing(entry, { counts: false, untilMs: this.#context.nowMs() })
        model?.left(entry)
      }
    }
    await member.stop()
    for (const entry of model?.entries ?? []) model?.released(entry, { waits: false, holds: false })
  }

  async #cancel(pick: number): Promise<void> {
    const { scheduling } = this.#context.engine
    const [first] = this.#groups.values()
    const scheduled = first?.entries.filter(
      ({ record, standing }) => standing === 'later' && record.dueAtMs !== undefined,
    )
    const id = pickOf(scheduled ?? [], pick)?.record.id
    if (scheduling === undefined || id === undefined) return
    if (!(await scheduling.cancel(this.#channel.name, id))) return
    for (const model of this.#groups.values()) {
      for (const fault of model.cancelled(id)) this.#context.witness.accuse(fault)
    }
  }

  async #seek({ pick, to }: Extract<Operation, { do: 'seek' }>): Promise<void> {
    const [group, model] = pickOf([...this.#groups], pick) ?? []
    const { seeking } = this.#context.engine
    if (seeking === undefined || this.#channel.spec.kind === 'queue' || group === undefined) return
    // How far it was with what is addressed to it alone need not be kept.
    if (model?.entries.some(({ record, standing }) => record.group !== undefined && standing !== 'done')) return
    for (const member of this.#members.filter(({ scope }) => scope.group === group)) await this.#leave(member)
    await seeking.seek(this.#channel.name, group, { to })
    model?.sought(to, this.#context.nowMs())
  }

  /** What comes and goes reads what is published meanwhile, and disturbs nobody. */
  async #visit(shapes: readonly RecordShape[]): Promise<void> {
    if (this.#context.capabilities.temporaryGroups === 'none' || this.#channel.spec.kind === 'queue') return
    const group = this.#context.unique('visitor')
    const spec = { channel: this.#channel.name, group, from: 'next', lifetime: 'temporary' } as const
    await this.#context.declare([this.#channel.spec], [spec])
    const visitor = await this.#channel.join(group, { credit: 100 })
    const records = await this.#publications.publish(shapes.map((shape) => ({ ...shape, steps: 0 })))
    for (const record of records) if (record.group === undefined) await visitor.receive(record)
    await visitor.ackAll(visitor.unsettled.slice(0, 1))
    await visitor.stop()
    await expectRejection(() => this.#channel.join(group), 'NOT_FOUND')
  }

  async #reopened(tell: () => void): Promise<void> {
    tell()
    this.#members = []
    await this.#channel.declare([...this.#groups.keys()])
  }

  async #crash(unanswered: readonly RecordShape[]): Promise<void> {
    if (this.#context.underTest.crash === undefined) return
    const records = unanswered.map((shape) => this.#publications.record(shape))
    this.#publications.begin(records)
    // Nobody waits for the answer, which may never come: until they are seen, these records may stand or not.
    void this.#context.engine.publish(records).catch(() => {})
    await this.#context.crash()
    await this.#reopened(() => this.#allCrashed())
  }

  #allReturned(): void {
    for (const model of this.#groups.values()) model.returned(() => true)
  }

  #allCrashed(): void {
    for (const model of this.#groups.values()) model.crashed()
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everything that was confirmed gets done, and then there is nothing. */
  async finish(): Promise<void> {
    await this.#context.reach(this.#context.nowMs() + 4 * this.#stepMs)
    for (const member of this.#members) await this.#leave(member)
    for (const group of this.#groups.keys()) await this.#join(group, 10)
    const endMs = realMs() + this.#context.settings.patienceMs
    do {
      while (this.#outstanding().length > 0) await this.#finishSome()
      // What nobody answered for may still come; it must find credit.
      for (const member of this.#members) member.grant(1 + this.#groups.get(member.scope.group)!.uncertain())
      await this.#context.lull()
      await this.#quiet()
    } while (this.#outstanding().length > 0 || (await this.#mayBeMore(endMs)))
    if (this.#context.engine.lag === undefined) return
    for (const group of this.#groups.keys()) {
      assert.deepEqual(await this.#channel.lag(group), { ready: 0, waiting: 0, inFlight: 0 })
    }
  }

  /** Whether the engine has something of which nobody knows whether it is there: that may come late. */
  async #mayBeMore(endMs: number): Promise<boolean> {
    const isSure = [...this.#groups.values()].every((model) => model.uncertain() === 0)
    if (isSure || this.#context.engine.lag === undefined || realMs() > endMs) return false
    for (const group of this.#groups.keys()) {
      const { ready, waiting, inFlight } = await this.#channel.lag(group)
      if (ready + waiting + inFlight > 0) return true
    }
    return false
  }

  async #finishSome(): Promise<void> {
    await this.#quiet()
    for (const member of this.#members) member.grant(5)
    await this.#context.until(
      () => this.#members.some(({ unsettled }) => unsettled.length > 0),
      () => `a delivery of ${this.#outstanding().map(({ record }) => record.id)}`,
    )
    while (this.#pickDelivery(0) !== undefined) await this.#ack({ do: 'ack', pick: 0, carry: [], fails: false })
  }

  #outstanding(): readonly ModelEntry[] {
    return [...this.#groups.values()].flatMap((model) => model.outstanding())
  }

  // ── Between operations ────────────────────────────────────────────────────────────────────────────────────────────

  /** Waits until the engine owes nothing, and fails when it did what it must not. */
  async #quiet(): Promise<void> {
    await this.#context.until(
      () => this.#context.witness.violations.length > 0 || this.#owed() === undefined,
      () => `${this.#owed()?.record.id} to be delivered`,
    )
    this.#context.verify()
  }

  #owed(): ModelEntry | undefined {
    const owed = [...this.#groups].map(([group, model]) => {
      const members = this.#members.filter(({ scope }) => scope.group === group)
      return model.owed(members, this.#context.nowMs())
    })
    // One suspect runs at a time on an engine, whichever group it is for.
    const isWatched = [...this.#groups.values()].some(({ watches }) => watches)
    return isWatched ? undefined : owed.find((entry) => entry !== undefined)
  }

  #pickMember(pick: number): Member | undefined {
    return pickOf(this.#members, pick)
  }

  #pickDelivery(pick: number): PickedDelivery | undefined {
    const all = this.#members.flatMap((member) => member.unsettled.map((received) => ({ member, received })))
    const found = pickOf(all, pick)
    const model = found && this.#groups.get(found.member.scope.group)
    const entry = found && model?.inFlight(found.received)
    return found && model && entry ? { ...found, model, entry } : undefined
  }
}
