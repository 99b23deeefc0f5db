import { parseArgs } from 'node:util'
import { type ServerName, serverNames } from './recipe.ts'

/** What the command line says. */
export interface EnginesCommand {
  readonly action: 'up' | 'down' | 'status'
  readonly names: readonly ServerName[]
  readonly json: boolean
}

/** How to call it. */
export const usage = `npm run engines -- up|down|status [${serverNames.join('|')} …] [--json]`

const actions: readonly string[] = ['up', 'down', 'status']

/**
 * Reads the command line; without names, all servers are meant.
 * @throws Error naming every mistake
 */
export function parseCommand(args: readonly string[]): EnginesCommand {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  })
  const [action, ...names] = positionals
  const mistakes: string[] = []
  if (action === undefined || !actions.includes(action)) mistakes.push('say up, down or status')
  for (const name of names) {
    if (!serverNames.includes(name as ServerName)) mistakes.push(`there is no server '${name}'`)
  }
  if (mistakes.length > 0) throw new Error(`${mistakes.join('; ')}\n${usage}`)
  const meant = names.length === 0 ? serverNames : [...new Set(names as ServerName[])]
  return { action: action as EnginesCommand['action'], names: meant, json: values.json }
}
