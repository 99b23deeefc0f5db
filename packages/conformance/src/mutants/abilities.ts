import { succeeded } from '@posthaste/contracts'
import { changed } from './changes.ts'
import type { Mutant } from './mutant.ts'

/** Faults of what some engines can do beyond the core of the interface. */
export const abilityMutants: readonly Mutant[] = [
  {
    name: 'redrives-to-all',
    fault: 'gives what is redriven to every group',
    foundBy: 'move/once',
    needs: ['browsing', 'groupAddress'],
    mutate(engine) {
      const { browsing } = engine
      if (browsing === undefined) return engine
      const toAll = { group: undefined }
      return changed(engine, {
        browsing: {
          browse: (query) => browsing.browse(query),
          move: (channel, moves) =>
            browsing.move(
              channel,
              moves.map(({ position, publish }) => ({
                position,
                publish: publish.map((record) => ({ ...record, ...toAll })),
              })),
            ),
        },
      })
    },
  },
  {
    name: 'moves-copies',
    fault: 'leaves behind what it moves',
    foundBy: 'move/once',
    needs: ['browsing', 'groupAddress'],
    mutate(engine) {
      const { browsing } = engine
      if (browsing === undefined) return engine
      return changed(engine, {
        browsing: {
          browse: (query) => browsing.browse(query),
          async move(_channel, moves) {
            await engine.publish(moves.flatMap(({ publish }) => publish))
            return moves.map(() => succeeded)
          },
        },
      })
    },
  },
  {
    name: 'finds-anything',
    fault: 'shows every record, whatever is looked for',
    foundBy: 'match/fields',
    needs: ['browsing'],
    mutate(engine) {
      const { browsing } = engine
      if (browsing === undefined) return engine
      return changed(engine, {
        browsing: {
          browse: (query) => browsing.browse({ ...query, match: undefined }),
          move: (channel, moves) => browsing.move(channel, moves),
        },
      })
    },
  },
  {
    name: 'reports-no-lag',
    fault: 'says that nobody is behind',
    foundBy: 'lag/figures',
    needs: ['lag'],
    mutate: (engine) => changed(engine, { lag: { lag: async () => ({ ready: 0, waiting: 0, inFlight: 0 }) } }),
  },
  {
    name: 'ignores-filters',
    fault: 'delivers what a filter refuses',
    foundBy: 'filter/matching',
    needs: ['filter'],
    mutate: (engine) =>
      changed(engine, { subscribe: (spec, sink) => engine.subscribe({ ...spec, filter: undefined }, sink) }),
  },
  {
    name: 'shows-prepared',
    fault: 'publishes what is only prepared',
    foundBy: 'prepare/commit',
    needs: ['preparing'],
    mutate(engine) {
      const { preparing } = engine
      if (preparing === undefined) return engine
      return changed(engine, {
        preparing: {
          async prepare(record, checkAtMs) {
            await engine.publish([record])
            return preparing.prepare(record, checkAtMs)
          },
          commit: (names) => preparing.commit(names),
          rollback: (names) => preparing.rollback(names),
          postpone: (name, checkAtMs) => preparing.postpone(name, checkAtMs),
          prepared: (channel, limit) => preparing.prepared(channel, limit),
        },
      })
    },
  },
  {
    name: 'rolls-back-in-words',
    fault: 'says that it rolled back, and keeps what was prepared',
    foundBy: 'prepare/rollback',
    needs: ['preparing'],
    mutate(engine) {
      const { preparing } = engine
      if (preparing === undefined) return engine
      return changed(engine, {
        preparing: {
          prepare: (record, checkAtMs) => preparing.prepare(record, checkAtMs),
          commit: (names) => preparing.commit(names),
          rollback: async (names) => names.map(() => succeeded),
          postpone: (name, checkAtMs) => preparing.postpone(name, checkAtMs),
          prepared: (channel, limit) => preparing.prepared(channel, limit),
        },
      })
    },
  },
  {
    name: 'seeks-in-words',
    fault: 'says that it moved a group, and left it where it was',
    foundBy: 'seek/earliest',
    needs: ['seeking'],
    mutate: (engine) => changed(engine, { seeking: { async seek() {} } }),
  },
  {
    name: 'keeps-temporary-groups',
    fault: 'keeps groups that were to go with their last member',
    foundBy: 'temporary/last-member',
    needs: ['temporaryGroups'],
    mutate: (engine) =>
      changed(engine, {
        declare: ({ channels, groups }) =>
          engine.declare({ channels, groups: groups.map((group) => ({ ...group, lifetime: 'durable' })) }),
      }),
  },
  {
    name: 'misses-later-channels',
    fault: 'tells of no channel that matches a pattern later',
    foundBy: 'pattern/watch',
    needs: ['patterns'],
    mutate(engine) {
      const { patterns } = engine
      if (patterns === undefined) return engine
      return changed(engine, {
        patterns: {
          declare: (spec) => patterns.declare(spec),
          async watch(pattern, onChannel) {
            let isOver = false
            const end = await patterns.watch(pattern, (channel) => {
              if (!isOver) onChannel(channel)
            })
            isOver = true
            return end
          },
        },
      })
    },
  },
]
