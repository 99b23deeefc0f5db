import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Which messages have been cured, so that they succeed when they are redriven: in this life and in all that follow. */
export interface Healing {
  heal(group: string, id: string): void
  isHealed(group: string, id: string): boolean
}

/** Healings kept in a file of the run. */
export function healingIn(runDir: string): Healing {
  const path = join(runDir, 'healed.txt')
  const nameOf = (group: string, id: string): string => `${group} ${id}`
  const healed = new Set(existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [])
  return {
    heal: (group, id) => {
      healed.add(nameOf(group, id))
      appendFileSync(path, `${nameOf(group, id)}\n`)
    },
    isHealed: (group, id) => healed.has(nameOf(group, id)),
  }
}
