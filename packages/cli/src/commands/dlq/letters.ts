import type { DeadLetter } from 'posthaste/bus'
import type { Print } from '../../output/print.ts'
import { bodyJson, bodyText, optional, timeText } from '../../output/records.ts'
import { figure } from '../../output/units.ts'

/** A dead letter in JSON. */
export function letterJson(letter: DeadLetter): Record<string, unknown> {
  const { position, id, key, code, reason, attempts, deadAtMs, issues, data, headers } = letter
  return {
    position,
    id,
    ...optional({ key }),
    code,
    reason,
    attempts,
    deadAt: timeText(deadAtMs),
    ...(issues.length > 0 && { issues }),
    headers,
    ...bodyJson(data, headers),
  }
}

/** Many, a line each. */
export function letterTable(letters: readonly DeadLetter[], print: Print): string {
  const columns = [
    ...['id', 'given up', 'code'].map((title) => ({ title })),
    { title: 'attempts', isFigure: true },
    ...['key', 'reason'].map((title) => ({ title })),
  ]
  const rows = letters.map(({ id, deadAtMs, code, attempts, key = '', reason }) => {
    return [id, timeText(deadAtMs), code, figure(attempts), key, reason]
  })
  return print.table(columns, rows)
}

/** All of one. */
export function letterText(letter: DeadLetter, print: Print): string {
  const { id, key, code, reason, attempts, deadAtMs, issues, headers, position, data } = letter
  const facts: readonly (readonly [string, string])[] = [
    ['id', id],
    ...(key === undefined ? [] : [['key', key] as const]),
    ['position', position],
    ['given up', timeText(deadAtMs)],
    ['code', code],
    ['reason', reason],
    ['attempts', figure(attempts)],
    ...issues.map(({ path, message }) => ['issue', `${path} ${message}`] as const),
    ...Object.entries(headers).map(([name, value]) => [`header ${name}`, value] as const),
    ['data', bodyText(data, headers)],
  ]
  const width = Math.max(...facts.map(([name]) => name.length))
  return facts.map(([name, value]) => `${print.bold(name.padEnd(width))}  ${value}\n`).join('')
}
