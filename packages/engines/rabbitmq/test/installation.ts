import { randomBytes } from 'node:crypto'
import type { Engine, Topology } from '@posthaste/contracts'
import { Connection } from 'rabbitmq-client'
import { Names } from '../src/names.ts'

/** Names that no other test uses. */
export function freshPrefix(): string {
  return `t${randomBytes(6).toString('hex')}.`
}

/** Remembers what engines declare, so that it can be removed: the protocol lists nothing. */
export class Declared {
  readonly #channels = new Map<string, Set<string>>()

  /** Listens in on what an engine declares. */
  by<E extends Engine>(engine: E): E {
    const declare = engine.declare.bind(engine)
    engine.declare = (topology: Topology) => {
      for (const { name } of topology.channels) this.#groupsOf(name)
      for (const { channel, group } of topology.groups) this.#groupsOf(channel).add(group)
      return declare(topology)
    }
    return engine
  }

  /** Deletes all of it. */
  async remove(options: { readonly url: string; readonly prefix: string; readonly keyRanges: number }): Promise<void> {
    const names = new Names(options.prefix)
    const connection = new Connection({ url: options.url })
    connection.on('error', () => {})
    try {
      for (const [channel, groups] of this.#channels) {
        for (const group of [undefined, ...groups]) {
          const base = names.queue(channel, group)
          const ranges = Array.from({ length: options.keyRanges }, (_, range) => range)
          const queues = ranges.flatMap((range) => [names.range(base, range), names.control(base, range)])
          for (const queue of [base, names.members(base), ...queues]) await connection.queueDelete(queue)
        }
        for (const exchange of [names.exchange(channel), names.settings(channel), names.groupOf(channel)])
          await connection.exchangeDelete({ exchange })
      }
      for (const queue of [names.registry, names.registered]) await connection.queueDelete(queue)
      await connection.exchangeDelete({ exchange: names.registry })
    } finally {
      await connection.close()
    }
  }

  #groupsOf(channel: string): Set<string> {
    const groups = this.#channels.get(channel) ?? new Set<string>()
    this.#channels.set(channel, groups)
    return groups
  }
}
