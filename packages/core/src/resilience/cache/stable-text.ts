/** Deeper data is not told apart; it also ends what contains itself. */
const depthMax = 64

/** Longer texts are not made: keys are kept in memory, many at a time. */
const lengthMaxDefault = 4_096

/**
 * Data as text: the same for equal data, whatever the order of its properties, and another for any other data. Undefined for
 * what is not plain data (functions, instances of classes, what contains itself) and for what is longer than `lengthMax`
 * characters: guessing there would answer one question with the answer of another. The text is for comparing, not for reading.
 *
 * Hot path: texts are told by their length and not by escapes, so that they are copied as they are.
 */
export function stableText(value: unknown, lengthMax = lengthMaxDefault): string | undefined {
  const text = textOf(value, lengthMax, 0)
  return text === undefined || text.length > lengthMax ? undefined : text
}

function textOf(value: unknown, lengthMax: number, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return value.length > lengthMax ? undefined : quoted(value)
    case 'number':
    case 'boolean':
    case 'undefined':
      return `${value}`
    case 'bigint':
      return `${value}n`
    case 'object':
      if (value === null) return 'null'
      return depth === depthMax ? undefined : objectText(value, lengthMax, depth + 1)
    default:
      return undefined
  }
}

function objectText(value: object, lengthMax: number, depth: number): string | undefined {
  if (Array.isArray(value)) return arrayText(value, lengthMax, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    return recordText(value as Readonly<Record<string, unknown>>, lengthMax, depth)
  }
  if (value instanceof Date) return `Date(${value.getTime()})`
  if (value instanceof Uint8Array && value.length <= lengthMax) return `Bytes(${value.join()})`
  return undefined
}

function arrayText(items: readonly unknown[], lengthMax: number, depth: number): string | undefined {
  let text = '['
  for (const item of items) {
    const written = textOf(item, lengthMax, depth)
    if (written === undefined || text.length > lengthMax) return undefined
    text += `${written},`
  }
  return `${text}]`
}

/** Properties that are undefined are as good as absent. */
function recordText(record: Readonly<Record<string, unknown>>, lengthMax: number, depth: number): string | undefined {
  const names = Object.keys(record)
  if (names.length > 1) names.sort()
  let text = '{'
  for (const name of names) {
    const value = record[name]
    if (value === undefined) continue
    const property = textOf(value, lengthMax, depth)
    if (property === undefined || text.length > lengthMax) return undefined
    text += `${quoted(name)}:${property},`
  }
  return `${text}}`
}

/** Whatever is in it, its end is known. */
function quoted(text: string): string {
  return `${text.length}"${text}`
}
