import { checkPattern, type EngineHost, type PatternGroupSpec, type Patterns } from '@posthaste/contracts'
import type { Run } from './session.ts'
import { Packer } from './wire.ts'

/** Somebody who wants to know the channels of a pattern. */
interface Watcher {
  readonly pattern: string
  readonly onChannel: (channel: string) => void
  readonly told: Set<string>
}

/** What following patterns needs. */
export interface PatternNeeds {
  readonly run: Run
  readonly host: () => EngineHost
  readonly session: () => string
}

/** Groups over patterns: the script makes them with the channel, and tells that there is one. */
export class PatternGroups implements Patterns {
  readonly #needs: PatternNeeds
  readonly #watchers = new Set<Watcher>()
  readonly #temporary = new Map<string, PatternGroupSpec>()

  constructor(needs: PatternNeeds) {
    this.#needs = needs
  }

  async declare(spec: PatternGroupSpec): Promise<void> {
    checkPattern(spec)
    await this.#declare(spec, this.#needs.run)
    if (spec.lifetime === 'temporary') this.#temporary.set(`${spec.pattern} ${spec.group}`, spec)
  }

  async #declare({ pattern, group, from, lifetime = 'durable' }: PatternGroupSpec, run: Run): Promise<void> {
    const packer = new Packer().array(5).text(this.#needs.session()).text(pattern).text(group).text(from).text(lifetime)
    await run('declarePattern', packer.take())
  }

  /** A session has begun anew: what went with the one before is made again. */
  async again(run: Run): Promise<void> {
    for (const spec of this.#temporary.values()) await this.#declare({ ...spec, from: 'next' }, run)
  }

  async watch(pattern: string, onChannel: (channel: string) => void): Promise<() => void> {
    checkPattern({ pattern })
    const watcher: Watcher = { pattern, onChannel, told: new Set() }
    this.#watchers.add(watcher)
    try {
      await this.#look(watcher, this.#needs.run)
    } catch (thrown) {
      this.#watchers.delete(watcher)
      throw thrown
    }
    return () => void this.#watchers.delete(watcher)
  }

  /** Something has been made, or was while there was no connection. */
  changed(run: Run = this.#needs.run): void {
    for (const watcher of this.#watchers) {
      this.#look(watcher, run).catch((cause: unknown) => {
        this.#needs.host().log.debug('the channels of a pattern are not known', { pattern: watcher.pattern, cause })
      })
    }
  }

  async #look(watcher: Watcher, run: Run): Promise<void> {
    const reply = await run('followed', new Packer().array(1).text(watcher.pattern).take())
    for (const channel of reply.value() as readonly string[]) this.#tell(watcher, channel)
  }

  #tell(watcher: Watcher, channel: string): void {
    if (watcher.told.has(channel) || !this.#watchers.has(watcher)) return
    watcher.told.add(channel)
    try {
      watcher.onChannel(channel)
    } catch (cause) {
      this.#needs.host().log.error('who watches a pattern threw', { channel, cause })
    }
  }
}
