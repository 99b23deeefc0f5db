import { type DescField, type DescMessage, type DescOneof, type Message, ScalarType } from '@bufbuild/protobuf'
import { isWrapperDesc } from '@bufbuild/protobuf/wkt'
import type { Issue } from '@posthaste/contracts'
import { enumCheck, mapKeyCheck, type ScalarCheck, scalarCheck } from './scalar.ts'

/** How deep messages may be nested, the outermost included: the library's own limit. */
export const depthMax = 100

/** Where a check is, and what it found. */
interface Place {
  readonly path: string
  readonly depth: number
  readonly issues: Issue[]
}

/** What messages of one type look like as plain data. */
export interface Shape {
  /** Tells what does not fit; adds to the issues of the place. */
  check(value: unknown, at: Place): void
  /** A message as plain data, which shares nothing with the bytes that it was read from. */
  plain(message: Message): Record<string, unknown>
}

/** How one value is checked, and made plain. */
interface Part {
  check(value: unknown, at: Place): void
  plain(value: unknown): unknown
}

/** Descriptors are made once and shared, and types may contain themselves. */
const shapes = new WeakMap<DescMessage, Shape>()

/** The shape of a type of message, worked out once. */
export function shapeOf(desc: DescMessage): Shape {
  const known = shapes.get(desc)
  if (known !== undefined) return known
  const members = new Map<string, Part>()
  const shape: Shape = {
    check: checkMessage(desc, members),
    plain: (message) => plainMessage(members, message),
  }
  // Stands before its members do, since one of them may be of this very type.
  shapes.set(desc, shape)
  for (const member of desc.members)
    members.set(member.localName, member.kind === 'oneof' ? oneofPart(member) : fieldPart(member))
  return shape
}

/** What the library itself keeps in a message. */
const ownKeys: ReadonlySet<string> = new Set(['$typeName', '$unknown'])

function checkMessage(desc: DescMessage, members: ReadonlyMap<string, Part>): Shape['check'] {
  return (value, at) => {
    const { issues, depth } = at
    const mistake = messageMistake(desc, value, depth)
    if (mistake !== undefined) tell(at, mistake)
    if (mistake !== undefined || !isRecord(value)) return
    for (const name of Object.keys(value)) {
      if (value[name] === undefined || ownKeys.has(name)) continue
      const member = members.get(name)
      const path = at.path === '' ? name : `${at.path}.${name}`
      if (member === undefined) issues.push({ path, message: `is no field of ${desc.typeName}` })
      // Null is how some write that a field is not set, and the library takes it so.
      else if (value[name] !== null) member.check(value[name], { path, depth: depth - 1, issues })
    }
  }
}

function messageMistake(desc: DescMessage, value: unknown, depth: number): string | undefined {
  if (!isRecord(value)) return `must be a plain object, the message ${desc.typeName}`
  return depth === 0 ? `is nested deeper than ${depthMax} messages` : undefined
}

function plainMessage(members: ReadonlyMap<string, Part>, message: Message): Record<string, unknown> {
  const source = message as unknown as Readonly<Record<string, unknown>>
  const plain: Record<string, unknown> = {}
  for (const [name, member] of members) {
    // Fields with presence that are not set have their zero value on the prototype.
    if (Object.hasOwn(source, name) && source[name] !== undefined) plain[name] = member.plain(source[name])
  }
  return plain
}

function oneofPart(oneof: DescOneof): Part {
  const parts = new Map(oneof.fields.map((field) => [field.localName, singlePart(field)]))
  return {
    check(value, at) {
      const { case: name, value: inner, ...others } = isRecord(value) ? value : { none: value }
      const part = parts.get(name as string)
      const isUnset = isRecord(value) && name === undefined && inner === undefined
      if (Object.keys(others).length > 0 || (part === undefined && !isUnset))
        tell(at, `must be { case, value } with a case of ${[...parts.keys()].join(', ')}`)
      else part?.check(inner, { ...at, path: `${at.path}.value` })
    },
    plain(value) {
      const { case: name, value: inner } = value as { case?: string; value?: unknown }
      return name === undefined ? { case: undefined } : { case: name, value: parts.get(name)!.plain(inner) }
    },
  }
}

function fieldPart(field: DescField): Part {
  if (field.fieldKind === 'list') return listPart(singlePart(field))
  if (field.fieldKind === 'map') return mapPart(singlePart(field), mapKeyCheck(field))
  return singlePart(field)
}

function listPart(item: Part): Part {
  return {
    check(value, at) {
      if (!Array.isArray(value)) tell(at, 'must be an array')
      else for (const [index, each] of value.entries()) item.check(each, { ...at, path: `${at.path}.${index}` })
    },
    plain: (value) => (value as readonly unknown[]).map(item.plain),
  }
}

function mapPart(item: Part, checkKey: (key: string) => string | undefined): Part {
  return {
    check(value, at) {
      if (!isRecord(value)) tell(at, 'must be a plain object')
      else
        for (const [key, each] of Object.entries(value)) {
          const mistake = checkKey(key)
          if (mistake !== undefined) tell(at, `has the key '${key}', which ${mistake}`)
          item.check(each, { ...at, path: `${at.path}.${key}` })
        }
    },
    // Entries define properties, so that a key such as __proto__ is one, too.
    plain: (value) => Object.fromEntries(Object.entries(value as object).map(([key, each]) => [key, item.plain(each)])),
  }
}

/** One value of a field, be it one of a list or of a map. */
function singlePart(field: DescField): Part {
  if (field.message !== undefined) return messagePart(field, field.message)
  if (field.enum !== undefined) return { check: checking(enumCheck(field.enum)), plain: same }
  return scalarPart(field.scalar, field.fieldKind !== 'map' && field.longAsString)
}

function messagePart(field: DescField, desc: DescMessage): Part {
  if (field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(desc))
    return scalarPart(desc.fields[0].scalar, false)
  // The library has it as JSON wherever it is a field.
  if (desc.typeName === 'google.protobuf.Struct' && field.parent.typeName !== 'google.protobuf.Value') return structPart
  const shape = shapeOf(desc)
  return { check: shape.check, plain: (value) => shape.plain(value as Message) }
}

const same = (value: unknown): unknown => value

const structPart: Part = {
  check(value, at) {
    if (!isRecord(value) || !isJson(value, at.depth)) tell(at, 'must be a plain object of JSON, not nested too deep')
  },
  plain: same,
}

/** Each level of JSON is two messages, a Struct or ListValue and a Value. */
function isJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'boolean') return true
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value === 'number') return Number.isFinite(value)
  if (depth < 1 || !(Array.isArray(value) || isRecord(value))) return false
  return Object.values(value).every((inner) => depth > 1 && isJson(inner, depth - 2))
}

function scalarPart(type: ScalarType, longAsString: boolean): Part {
  if (type === ScalarType.BYTES)
    return { check: checking(scalarCheck(type)), plain: (value) => (value as Uint8Array).slice() }
  return { check: checking(scalarCheck(type, longAsString)), plain: same }
}

function checking(check: ScalarCheck): Part['check'] {
  return (value, at) => {
    const mistake = check(value)
    if (mistake !== undefined) tell(at, mistake)
  }
}

function tell({ path, issues }: Place, message: string): void {
  issues.push({ path, message })
}

/** Objects with a prototype of their own (Date, Map) would be taken for empty messages. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || '$typeName' in value
}
