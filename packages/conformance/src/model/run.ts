import assert from 'node:assert/strict'
import type { OutgoingRecord } from '@posthaste/contracts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectRefused } from '../expect.ts'
import type { Member } from '../member.ts'
import type { Received } from '../witness.ts'
import { GroupModel, type ModelEntry } from './model.ts'
import type { Operation, Program, RecordShape } from './operations.ts'

/** A unit of time in a program where the machine's clock has to be waited for, in milliseconds. */
const realStepMs = 25

/** Runs a program on an engine and on the model side by side. */
export async function runProgram(program: Program, context: CaseContext): Promise<void> {
  const groups = program.kind === 'log' ? ['a', 'b'] : ['a']
  const channel = await context.channel({ kind: program.kind, groups })
  const run = new ProgramRun(context, channel, groups)
  for (const operation of program.operations) await run.perform(operation)
  await run.finish()
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
  readonly #stepMs: number
  #members: Member[] = []
  #sequence = 0

  constructor(context: CaseContext, channel: TestChannel, groups: readonly string[]) {
    this.#context = context
    this.#channel = channel
    this.#stepMs = context.underTest.advance === undefined ? realStepMs : context.delayMs
    const options = { keyed: channel.spec.keyed, exactAttempts: context.capabilities.attempts === 'exact' }
    this.#groups = new Map(groups.map((group) => [group, new GroupModel(options)]))
  }

  async perform(operation: Operation): Promise<void> {
    await this.#do(operation)
    await this.#quiet()
  }

  async #do(operation: Operation): Promise<void> {
    switch (operation.do) {
      case 'publish':
        return this.#publish(operation.records)
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

  async #publish(shapes: readonly RecordShape[]): Promise<void> {
    const records = shapes.map((shape) => this.#record(shape))
    const entries = this.#publishing(records)
    await this.#channel.publish(...records)
    this.#published(entries)
  }

  #record({ key, steps, group }: RecordShape): OutgoingRecord {
    const { delay, groupAddress } = this.#context.capabilities
    const address =
      groupAddress === 'native' && group !== undefined ? pickOf([...this.#groups.keys()], group) : undefined
    const dueAtMs = delay === 'native' && steps > 0 ? this.#context.nowMs() + steps * this.#stepMs : undefined
    return this.#channel.record({ key, group: address, dueAtMs })
  }

  #publishing(records: readonly OutgoingRecord[]): readonly [GroupModel, ModelEntry][] {
    const nowMs = this.#context.nowMs()
    return records.flatMap((record) => {
      this.#sequence += 1
      return [...this.#groups]
        .filter(([group]) => record.group === undefined || record.group === group)
        .map(([, model]): [GroupModel, ModelEntry] => [model, model.publishing(record, this.#sequence, nowMs)])
    })
  }

  #published(entries: readonly [GroupModel, ModelEntry][]): void {
    for (const [model, entry] of entries) model.published(entry, this.#context.nowMs())
  }

  async #ack({ pick, carry, fails }: Extract<Operation, { do: 'ack' }>): Promise<void> {
    const found = this.#pickDelivery(pick)
    if (found === undefined) return
    const { member, received, model, entry } = found
    if (fails) return this.#failToAck(found)
    const records = carry.map((shape) => this.#record(shape))
    const entries = this.#publishing(records)
    // Its key may go on even before the answer is here; that it fails is nothing the model knows.
    model.acknowledged(entry)
    await member.ack(received, records)
    this.#published(entries)
  }

  async #failToAck({ member, received }: PickedDelivery): Promise<void> {
    const nowhere = { ...this.#channel.record(), channel: this.#context.unique('nowhere') }
    const outcomes = await member.settle([{ kind: 'ack', tag: received.tag, publish: [nowhere] }])
    expectRefused(outcomes[0], 'NOT_FOUND')
  }

  async #release(how: Extract<Operation, { do: 'release' }>): Promise<void> {
    const found = this.#pickDelivery(how.pick)
    if (found === undefined) return
    const { member, received, model, entry } = found
    const { delay, holdKey } = this.#context.capabilities
    const waits = delay === 'native' && how.steps > 0
    const holds = holdKey === 'native' && how.holds && this.#channel.spec.keyed
    const nowMs = this.#context.nowMs()
    const untilMs = waits ? nowMs + how.steps * this.#stepMs : nowMs
    model.releasing(entry, { counts: how.counts, untilMs })
    const when = waits ? { visibleAtMs: untilMs } : {}
    await member.release(received, { countsAttempt: how.counts, holdKey: holds, ...when })
    model.released(entry, { waits, holds })
  }

  async #join(group: string | undefined, credit: number): Promise<void> {
    if (group === undefined || this.#members.length >= 6) return
    const model = this.#groups.get(group)
    const watch = (received: Received) => {
      for (const fault of model?.delivered(received) ?? []) this.#context.witness.accuse(fault)
    }
    this.#members.push(await this.#channel.join(group, { credit, watch }))
  }

  async #leave(member: Member | undefined): Promise<void> {
    if (member === undefined) return
    this.#members = this.#members.filter((other) => other !== member)
    const model = this.#groups.get(member.scope.group)
    // While it leaves, what it had may come to others; only then is it certain that it must.
    for (const entry of model?.entries ?? []) {
      if (entry.standing === 'inFlight' && entry.member === member.name) {
        model?.releasing(entry, { counts: false, untilMs: this.#context.nowMs() })
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
      const entry: ModelEntry | undefined = model.entries.find((each) => each.record.id === id)
      if (entry === undefined) continue
      assert.equal(entry.standing, 'later', `${id} was cancelled, it had come already`)
      model.acknowledged(entry)
    }
  }

  async #reopened(tell: () => void): Promise<void> {
    tell()
    this.#members = []
    await this.#channel.declare([...this.#groups.keys()])
  }

  async #crash(unanswered: readonly RecordShape[]): Promise<void> {
    if (this.#context.underTest.crash === undefined) return
    const records = unanswered.map((shape) => this.#record(shape))
    this.#publishing(records)
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
    do {
      while (this.#outstanding().length > 0) await this.#finishSome()
      // What nobody answered for may still come; it must find credit.
      for (const member of this.#members) member.grant(1 + this.#groups.get(member.scope.group)!.uncertain())
      await this.#context.lull()
      await this.#quiet()
    } while (this.#outstanding().length > 0)
    if (this.#context.engine.lag === undefined) return
    for (const group of this.#groups.keys()) {
      assert.deepEqual(await this.#channel.lag(group), { ready: 0, waiting: 0, inFlight: 0 })
    }
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
    for (const [group, model] of this.#groups) {
      const able = this.#members.filter((member) => member.scope.group === group && member.credit > 0)
      const owed = model.owed(
        able.map(({ name }) => name),
        this.#context.nowMs(),
      )
      if (owed !== undefined) return owed
    }
    return undefined
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

function pickOf<T>(all: readonly T[], pick: number): T | undefined {
  return all.length === 0 ? undefined : all[pick % all.length]
}
