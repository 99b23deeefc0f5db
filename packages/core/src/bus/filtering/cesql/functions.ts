import { cast, Failure, integerMax, integerMin, type Result, type Type, type Value } from './values.ts'

/** A function of the language. */
export interface BuiltIn {
  readonly returns: Type
  /** Types of the arguments. */
  readonly takes: readonly Type[]
  /** The type of any number of further ones; undefined where there are none. */
  readonly more?: Type
  /** What it comes to; the arguments are of the types that it takes. */
  readonly call: (...args: never[]) => Result
}

/** By name; of one name with different numbers of arguments. */
const builtIns: ReadonlyMap<string, readonly BuiltIn[]> = new Map<string, readonly BuiltIn[]>([
  ['ABS', [{ returns: 'Integer', takes: ['Integer'], call: abs }]],
  ['LENGTH', [{ returns: 'Integer', takes: ['String'], call: (text: string) => [...text].length }]],
  ['CONCAT', [{ returns: 'String', takes: [], more: 'String', call: (...texts: string[]) => texts.join('') }]],
  ['CONCAT_WS', [{ returns: 'String', takes: ['String'], more: 'String', call: concatWith }]],
  ['LOWER', [{ returns: 'String', takes: ['String'], call: (text: string) => text.toLowerCase() }]],
  ['UPPER', [{ returns: 'String', takes: ['String'], call: (text: string) => text.toUpperCase() }]],
  ['TRIM', [{ returns: 'String', takes: ['String'], call: trim }]],
  ['LEFT', [{ returns: 'String', takes: ['String', 'Integer'], call: left }]],
  ['RIGHT', [{ returns: 'String', takes: ['String', 'Integer'], call: right }]],
  [
    'SUBSTRING',
    [
      { returns: 'String', takes: ['String', 'Integer'], call: substring },
      { returns: 'String', takes: ['String', 'Integer', 'Integer'], call: substring },
    ],
  ],
  ['INT', [castTo('Integer')]],
  ['BOOL', [castTo('Boolean')]],
  ['STRING', [castTo('String')]],
])

/** Whether there is a function of a name, whatever it takes. */
export function isBuiltIn(name: string): boolean {
  return builtIns.has(name)
}

/** The function of a name for so many arguments; undefined where there is none. */
export function builtIn(name: string, count: number): BuiltIn | undefined {
  return builtIns.get(name)?.find(({ takes, more }) => {
    return takes.length === count || (more !== undefined && takes.length < count)
  })
}

/** An explicit cast takes any type: the cast of its argument is the cast that is asked for. */
function castTo(type: Type): BuiltIn {
  return { returns: type, takes: [type], call: (value: Value) => cast(value, type) }
}

function abs(value: number): Result {
  if (value === integerMin) return new Failure('math', `ABS(${integerMin}) is more than ${integerMax}`)
  return Math.abs(value)
}

function concatWith(delimiter: string, ...texts: string[]): string {
  return texts.join(delimiter)
}

const whiteSpace = /\p{White_Space}/u

/** What is white space to Unicode, which is not quite what it is to JavaScript. */
function trim(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && whiteSpace.test(text[from]!)) from += 1
  while (from < to && whiteSpace.test(text[to - 1]!)) to -= 1
  return text.slice(from, to)
}

function left(text: string, count: number): Result {
  if (count < 0) return new Failure('function', `LEFT of ${count} characters`)
  return [...text].slice(0, count).join('')
}

function right(text: string, count: number): Result {
  if (count < 0) return new Failure('function', `RIGHT of ${count} characters`)
  return count === 0 ? '' : [...text].slice(-count).join('')
}

/** Positions begin with 1; negative ones count from the end. */
function substring(text: string, position: number, length = integerMax): Result {
  const chars = [...text]
  if (position > chars.length || position < -chars.length) {
    return new Failure('function', `SUBSTRING from ${position} of ${chars.length} characters`)
  }
  if (length < 0) return new Failure('function', `SUBSTRING of ${length} characters`)
  if (position === 0) return ''
  const from = position > 0 ? position - 1 : chars.length + position
  return chars.slice(from, from + length).join('')
}
