import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '@posthaste/contracts'
import type { GroupName } from './journal.ts'

/** Which groups have lived no longer than their process, in all lives: each is to be gone in the end. */
export interface TemporaryGroups {
  /** Notes those that are joined through an engine. */
  watch<E extends Engine>(engine: E): E
  all(): readonly GroupName[]
}

/** Notes kept in a file of the run. */
export function temporaryGroupsIn(runDir: string): TemporaryGroups {
  const path = join(runDir, 'temporary.txt')
  return {
    watch: (engine) => {
      const declare = engine.declare.bind(engine)
      engine.declare = (topology) => {
        const temporary = topology.groups.filter(({ lifetime }) => lifetime === 'temporary')
        const lines = temporary.map(({ channel, group }) => `${channel} ${group}\n`)
        if (lines.length > 0) appendFileSync(path, lines.join(''))
        return declare(topology)
      }
      return engine
    },
    all: () => {
      const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
      const lines = new Set(text.split('\n').slice(0, -1))
      return [...lines].map((line) => {
        const [channel = '', group = ''] = line.split(' ')
        return { channel, group }
      })
    },
  }
}
