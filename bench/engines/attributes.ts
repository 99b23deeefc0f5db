import { randomUUID } from 'node:crypto'

const base = randomUUID().slice(0, -12)
let count = 0

/** The CloudEvents attributes of another message, each under the name that a protocol has for it. */
export function attributes(nameOf: (attribute: string) => string): Record<string, string> {
  return {
    [nameOf('specversion')]: '1.0',
    [nameOf('id')]: `${base}${String(++count).padStart(12, '0')}`,
    [nameOf('source')]: '/bench',
    [nameOf('type')]: 'bench.work',
    [nameOf('time')]: new Date().toISOString(),
    [nameOf('datacontenttype')]: 'application/json',
  }
}
