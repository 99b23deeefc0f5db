import type { Issue, PosthasteError } from '@posthaste/contracts'
import { attributeText, utf8Bytes } from './publishing/attributes.ts'

/*
 * Errors as headers tell them: in dead letters and in replies.
 */

const issuesBytesMax = 8_192

/** An error's message without the code it begins with, which is told beside it. */
export function plainMessage(error: PosthasteError): string {
  const prefix = `[${error.code}] `
  return error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message
}

/** As many of the issues as there is room for; undefined where there are none. */
export function issuesText(issues: readonly Issue[]): string | undefined {
  for (let count = issues.length; count > 0; count = Math.floor(count / 2)) {
    const text = JSON.stringify(issues.slice(0, count).map(({ path, message }) => ({ path, message })))
    if (utf8Bytes(text) <= issuesBytesMax) return attributeText(text, issuesBytesMax)
  }
  return undefined
}

/** The issues that a header tells of. Tolerant: what is none is left out. */
export function parseIssues(text: string | undefined): Issue[] {
  if (text === undefined) return []
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) ? parsed.filter(isIssue) : []
  } catch {
    return []
  }
}

function isIssue(value: unknown): value is Issue {
  if (typeof value !== 'object' || value === null) return false
  return 'path' in value && typeof value.path === 'string' && 'message' in value && typeof value.message === 'string'
}
