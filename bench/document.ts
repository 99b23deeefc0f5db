import type { Machine } from './machine.ts'

/** One case: our figure beside those of others, measured in the same run. */
export interface CaseResult {
  readonly case: string
  readonly unit: string
  readonly ours: number
  /** The same work without us, by what does it. */
  readonly peers: Readonly<Record<string, number>>
  /** What the machine can do at best, where that is known. */
  readonly limit: { readonly name: string; readonly value: number } | null
  /** Ours divided by theirs, limit included. Below 1 is less: worse for rates, better for times. */
  readonly ratios: Readonly<Record<string, number>>
  /** What we aim for; null where a case is for information. */
  readonly goal: string | null
  readonly met: boolean | null
}

/** What a benchmark prints. */
export interface BenchDocument {
  readonly bench: string
  readonly machine: Machine
  /** How it was measured. */
  readonly method: Readonly<Record<string, number | string>>
  readonly results: readonly CaseResult[]
}

/** What a case brings; the rest follows from it. */
export interface Figures {
  readonly case: string
  readonly unit: string
  readonly ours: number
  readonly peers?: Readonly<Record<string, number>>
  readonly limit?: { readonly name: string; readonly value: number }
  readonly goal?: Goal
}

/** At least this much, or at most this much; of a peer's figure or as such. */
export type Goal =
  | { readonly min: number; readonly of?: string | undefined }
  | { readonly max: number; readonly of?: string | undefined }

/** Puts a case's figures beside each other. */
export function resultOf({ case: name, unit, ours, peers = {}, limit, goal }: Figures): CaseResult {
  const others = { ...peers, ...(limit && { [limit.name]: limit.value }) }
  const ratios = Object.fromEntries(Object.entries(others).map(([other, value]) => [other, rounded(ours / value, 3)]))
  return {
    case: name,
    unit,
    ours: tidy(ours),
    peers: Object.fromEntries(Object.entries(peers).map(([peer, value]) => [peer, tidy(value)])),
    limit: limit === undefined ? null : { name: limit.name, value: tidy(limit.value) },
    ratios,
    goal: goal === undefined ? null : goalText(goal, unit),
    met: goal === undefined ? null : isMet(goal, ours, peers),
  }
}

function isMet(goal: Goal, ours: number, peers: Readonly<Record<string, number>>): boolean {
  const figure = goal.of === undefined ? ours : ours / (peers[goal.of] ?? Number.NaN)
  return 'max' in goal ? figure <= goal.max : figure >= goal.min
}

function goalText(goal: Goal, unit: string): string {
  const [bound, value] = 'max' in goal ? ['at most', goal.max] : ['at least', goal.min]
  return goal.of === undefined ? `${bound} ${value.toLocaleString('en')} ${unit}` : `${bound} ${value} of ${goal.of}`
}

/** Digits that mean something: nobody measures a rate to a hundredth. */
function tidy(value: number): number {
  return value >= 100 ? Math.round(value) : rounded(value, 2)
}

function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}

/** The document for people. */
export function tableOf({ bench, machine, method, results }: BenchDocument): string {
  const number = (value: number): string => value.toLocaleString('en')
  const facts = (of: object): string =>
    Object.entries(of)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  const blocks = results.map((result) => {
    const { ours, unit, peers, limit, ratios, goal, met } = result
    const others = { ...peers, ...(limit && { [limit.name]: limit.value }) }
    const lines = Object.entries(others).map(
      ([name, value]) => `    ${name.padEnd(40)} ${number(value).padStart(12)} ${unit}   ratio ${ratios[name]}`,
    )
    const verdict = goal === null ? '' : `   ${met ? 'met' : 'MISSED'}: ${goal}`
    return [
      `  ${result.case}`,
      `    ${'ours'.padEnd(40)} ${number(ours).padStart(12)} ${unit}${verdict}`,
      ...lines,
    ].join('\n')
  })
  return [`${bench}: ${facts(machine)}`, `  ${facts(method)}`, ...blocks, ''].join('\n')
}
