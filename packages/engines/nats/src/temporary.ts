import type { Timer } from '@posthaste/contracts'
import { type Channel, rangesOf } from './channel.ts'
import { errorFrom } from './errors.ts'
import type { Link } from './link.ts'
import { type Names, nameOf, tokenOf } from './names.ts'
import { eraseNotes } from './notes.ts'
import type { Sessions } from './sessions.ts'
import type { TopologyKeeper } from './topology.ts'

/** What keeping temporary groups needs. */
export interface TemporarySurroundings {
  readonly link: Link
  readonly sessions: Sessions
  readonly topology: TopologyKeeper
  readonly names: Names
}

interface Kept {
  readonly channel: Channel
  readonly group: string
  revision: number
  members: number
}

/**
 * Groups that go with their last member. Each process that has one says so in the bucket of members; whoever finds that
 * nobody says so any more, since the processes have left or died, deletes the group.
 */
export class TemporaryGroups {
  readonly #surroundings: TemporarySurroundings
  readonly #kept = new Map<string, Kept>()
  /** Those that nobody says to have, until it is certain that they are gone. */
  readonly #deserted = new Map<string, Pick<Kept, 'channel' | 'group'>>()
  #timer: Timer | undefined
  #closed = false

  constructor(surroundings: TemporarySurroundings) {
    this.#surroundings = surroundings
  }

  /** Begins to look for what dead processes have left behind. */
  open(): void {
    this.#lookAgain()
  }

  /** This process keeps the group from now on, until its last member leaves it. */
  async keep(channel: Channel, group: string): Promise<void> {
    const place = placeOf(channel, group)
    if (this.#kept.has(place)) return
    const { sessions } = this.#surroundings
    const key = `${place}.${sessions.id}`
    const revision = await sessions.bucket.write(key, sessions.id, sessions.bucket.get(key).revision)
    this.#kept.set(place, { channel, group, revision: revision ?? sessions.bucket.get(key).revision, members: 0 })
  }

  joined(channel: Channel, group: string): void {
    const kept = this.#kept.get(placeOf(channel, group))
    if (kept !== undefined) kept.members += 1
  }

  /** Resolves when the group is gone, where this was its last member. */
  async left(channel: Channel, group: string): Promise<void> {
    const kept = this.#kept.get(placeOf(channel, group))
    if (kept === undefined) return
    kept.members -= 1
    if (kept.members === 0) await this.#release(kept)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    if (!this.#surroundings.link.connected) return
    await Promise.all([...this.#kept.values()].map((kept) => this.#release(kept).catch(() => {})))
  }

  async #release(kept: Kept): Promise<void> {
    const { sessions } = this.#surroundings
    const place = placeOf(kept.channel, kept.group)
    this.#kept.delete(place)
    const key = `${place}.${sessions.id}`
    await sessions.bucket.write(key, undefined, sessions.bucket.get(key).revision)
    await this.#deleteIfDeserted(kept.channel, kept.group)
  }

  async #deleteIfDeserted(channel: Channel, group: string): Promise<void> {
    const { sessions, topology, link, names } = this.#surroundings
    const place = placeOf(channel, group)
    const isDeserted = sessions.bucket.keys(`${place}.`).next().done
    if (!isDeserted) {
      this.#deserted.delete(place)
      return
    }
    this.#deserted.set(place, { channel, group })
    await eraseNotes(this.#surroundings, channel, group)
    for (const range of rangesOf(channel)) {
      await link.find(`group ${group}`, (manager) =>
        manager.consumers.delete(channel.names.stream, names.consumer(group, range)),
      )
    }
    // Not before: who asks meanwhile learns that it is there.
    channel.groups.delete(group)
    topology.known(channel.spec.name)?.groups.delete(group)
    this.#deserted.delete(place)
  }

  #lookAgain(): void {
    if (this.#closed || this.#timer !== undefined) return
    const { link } = this.#surroundings
    this.#timer = link.host.clock.setTimer(link.settings.leaseMs, () => {
      this.#timer = undefined
      this.#sweep()
        .catch((thrown: unknown) => {
          if (this.#closed || link.closed) return
          link.host.log.warn('temporary groups are not swept', { error: errorFrom(thrown, 'sweep').message })
        })
        .finally(() => this.#lookAgain())
    })
  }

  /** Ends what processes have left behind that died. */
  async #sweep(): Promise<void> {
    const { sessions, topology } = this.#surroundings
    for (const { channel, group } of [...this.#deserted.values()]) await this.#deleteIfDeserted(channel, group)
    for (const [key, { value: session, revision }] of [...sessions.bucket.keys('t.')]) {
      if (sessions.isAlive(session) || !(await sessions.bury(session))) continue
      if ((await sessions.bucket.write(key, undefined, revision)) === undefined) continue
      const [, channelToken = '', groupToken = ''] = key.split('.')
      const channel = await topology.find(nameOf(channelToken))
      if (channel !== undefined) await this.#deleteIfDeserted(channel, nameOf(groupToken))
    }
  }
}

function placeOf(channel: Channel, group: string): string {
  return `t.${tokenOf(channel.spec.name)}.${tokenOf(group)}`
}
