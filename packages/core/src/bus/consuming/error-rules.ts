import type { PosthasteError } from '@posthaste/contracts'
import { type ErrorCode, type Issue, isErrorCode } from '@posthaste/contracts'
import { refuseOptions } from '../../pipeline/options.ts'
import { type Ladder, type RetryLadder, readLadder } from './ladder.ts'

/** What follows one kind of failure, in place of what its verdict says. All but `when` may be left out. */
export interface ErrorRule {
  /**
   * Which failures: of this code, of one of these codes, or those for which it says true. It is given the error with which
   * the handler failed; what was no `PosthasteError` stands in `cause`. Must not take long: it is asked after each failure.
   */
  readonly when: ErrorCode | readonly ErrorCode[] | ((error: PosthasteError) => boolean)
  /** In place of the error's verdict: along the ladder, to the dead letters at once, or settled without effect. */
  readonly action?: 'retry' | 'dead-letter' | 'ignore' | undefined
  /** In place of the handler's ladder. */
  readonly retry?: RetryLadder | undefined
  /**
   * Names another queue of dead letters of the same group for what ends in the dead letters: 1 to 32 of `A-Z a-z 0-9 _ -`.
   */
  readonly deadLetterTo?: string | undefined
}

/** A rule as it is applied. */
export interface ErrorRuleSettings {
  readonly matches: (error: PosthasteError) => boolean
  readonly action: ErrorRule['action']
  readonly ladder: Ladder | undefined
  readonly deadLetterTo: string | undefined
}

const rulesMax = 100
const targetPattern = /^[A-Za-z0-9_-]{1,32}$/
const names: ReadonlySet<string> = new Set(['when', 'action', 'retry', 'deadLetterTo'])
const actions: readonly unknown[] = [undefined, 'retry', 'dead-letter', 'ignore']

/**
 * Rules for errors, ready to be applied, in the order given.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readErrorRules(what: string, given: unknown): readonly ErrorRuleSettings[] {
  if (given === undefined) return []
  const path = `${what}.errors`
  if (!Array.isArray(given) || given.length > rulesMax) {
    refuseOptions([{ path, message: `must be an array of at most ${rulesMax} rules` }])
  }
  const rules = given as readonly ErrorRule[]
  refuseOptions(rules.flatMap((rule, at) => ruleIssues(`${path}.${at}`, rule)))
  return rules.map(({ when, action, retry, deadLetterTo }, at) => ({
    matches: matcher(when),
    action,
    ladder: retry === undefined ? undefined : readLadder(`${path}.${at}.retry`, retry),
    deadLetterTo,
  }))
}

/** The first rule that speaks of an error. A condition that throws speaks of nothing. */
export function ruleFor(rules: readonly ErrorRuleSettings[], error: PosthasteError): ErrorRuleSettings | undefined {
  for (const rule of rules) {
    try {
      if (rule.matches(error)) return rule
    } catch {
      // The failure is to be settled whatever a condition makes of it.
    }
  }
  return undefined
}

function matcher(when: ErrorRule['when']): (error: PosthasteError) => boolean {
  if (typeof when === 'function') return (error) => when(error) === true
  const codes = new Set<ErrorCode>(typeof when === 'string' ? [when] : when)
  return ({ code }) => codes.has(code)
}

function ruleIssues(path: string, rule: unknown): Issue[] {
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) return [{ path, message: 'must be a rule' }]
  const { when, action, retry, deadLetterTo } = rule as Partial<Record<string, unknown>>
  const target = deadLetterTo === undefined || (typeof deadLetterTo === 'string' && targetPattern.test(deadLetterTo))
  const checks: readonly (readonly [boolean, string, string])[] = [
    [isCondition(when), 'when', 'must be an error code, several, or a function'],
    [actions.includes(action), 'action', "must be one of 'retry', 'dead-letter', 'ignore'"],
    [target, 'deadLetterTo', 'must be 1 to 32 of A-Z a-z 0-9 _ -'],
    [
      retry === undefined || action === undefined || action === 'retry',
      'retry',
      `contradicts the action '${String(action)}'`,
    ],
    [deadLetterTo === undefined || action !== 'ignore', 'deadLetterTo', "contradicts the action 'ignore'"],
    [
      action !== undefined || retry !== undefined || deadLetterTo !== undefined,
      'action',
      'is missing: the rule says nothing',
    ],
  ]
  const unknown = Object.keys(rule).filter((name) => !names.has(name))
  const wrong = checks.flatMap(([right, name, message]) => (right ? [] : [{ path: `${path}.${name}`, message }]))
  return [
    ...unknown.map((name) => ({ path: `${path}.${name}`, message: 'is not an option of a rule' })),
    ...wrong,
    ...ladderIssues(path, retry),
  ]
}

function isCondition(when: unknown): boolean {
  if (typeof when === 'function' || isErrorCode(when)) return true
  return Array.isArray(when) && when.length > 0 && when.every(isErrorCode)
}

function ladderIssues(path: string, retry: unknown): readonly Issue[] {
  if (retry === undefined) return []
  try {
    readLadder(`${path}.retry`, retry)
    return []
  } catch (thrown) {
    return (thrown as PosthasteError).issues
  }
}
