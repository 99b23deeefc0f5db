import type { Scheduling } from '@posthaste/contracts'
import type { Link } from './link.ts'
import { idToken } from './names.ts'
import type { ServerTime } from './time.ts'
import type { TopologyKeeper } from './topology.ts'

/** What taking back scheduled records needs. */
export interface ScheduleSurroundings {
  readonly link: Link
  readonly time: ServerTime
  readonly topology: TopologyKeeper
}

/** Schedules of the server by the id of their record: each has a subject of its own, which names the id. */
export function schedules(surroundings: () => ScheduleSurroundings): Scheduling {
  return {
    async cancel(name, id) {
      const { link, topology } = surroundings()
      const { names } = await topology.channel(name)
      const filter = `${names.later}.*.*.${idToken(id)}.*`
      const { purged } = await link.admin('schedule', (manager) => manager.streams.purge(names.stream, { filter }))
      return purged > 0
    },
    async dueAt(name, id) {
      const { link, topology, time } = surroundings()
      const { names } = await topology.channel(name)
      const { stream } = names
      const info = await link.admin('schedule', (manager) =>
        manager.streams.info(stream, { subjects_filter: `${names.later}.*.*.${idToken(id)}.*` }),
      )
      const subjects = Object.keys(info.state.subjects ?? {})
      const messages = await Promise.all(
        subjects.map((subject) =>
          link.find('schedule', (manager) => manager.direct.getMessage(stream, { last_by_subj: subject })),
        ),
      )
      const dueAtMs = messages.map((message) => Date.parse(message?.header.get('Nats-Schedule').slice(4) ?? ''))
      const known = dueAtMs.filter((ms) => !Number.isNaN(ms))
      return known.length === 0 ? undefined : Math.round(time.toOurs(Math.max(...known)))
    },
  }
}
