import { type EngineHost, PosthasteError } from '@posthaste/contracts'
import type { ChannelLog } from './log/channel-log.ts'
import type { Committer, Participant } from './storage/committer.ts'
import { offsetKey } from './storage/keys.ts'
import type { Transaction } from './storage/store.ts'

/** Tells of damaged records, and keeps their bytes for whoever repairs. */
export class DamageReport implements Participant {
  readonly #host: EngineHost
  readonly #committer: Committer
  #rows: { key: Buffer; bytes: Buffer }[] = []
  /** What was told of: damage is found again whenever it is read. */
  readonly #known = new Set<string>()

  constructor(host: EngineHost, committer: Committer) {
    this.#host = host
    this.#committer = committer
  }

  report(log: ChannelLog, offset: number, block: Buffer | undefined): void {
    const what = block === undefined ? 'record' : 'block'
    const name = `${what} ${log.id}/${offset}`
    if (this.#known.has(name)) return
    this.#known.add(name)
    const bytes = block ?? log.rawBlockOf(offset)
    this.#tell(`a ${what} of '${log.name}' at offset ${offset} is damaged and was quarantined`, {
      channel: log.name,
      offset,
    })
    if (bytes !== undefined) this.#keep(offsetKey(log.id, offset), bytes)
  }

  reportScheduled(key: Buffer, row: Buffer): void {
    this.#tell('a scheduled record is damaged and was quarantined', { row: key.toString('hex') })
    this.#keep(key, row)
  }

  write(tx: Transaction): void {
    for (const { key, bytes } of this.#rows) tx.put('quarantine', key, bytes)
    this.#rows = []
  }

  committed(): void {}

  #tell(message: string, fields: Record<string, unknown>): void {
    this.#host.log.error(message, fields)
    this.#host.onState('degraded', new PosthasteError('ENGINE_CORRUPT', message, { details: fields }))
  }

  #keep(key: Buffer, bytes: Buffer): void {
    this.#rows.push({ key, bytes: Buffer.from(bytes) })
    this.#committer.join(this)
  }
}
