import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { errorCodes, isErrorCode } from './codes.ts'

const page = readFileSync(new URL('../../../docs/reference/errors.md', import.meta.url), 'utf8')

/** The table rows of the page that begin with a code: code, verdict, meaning, remedy. */
const rows = page
  .split('\n')
  .filter((line) => /^\| `[A-Z_]+` \|/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  .map(([, code = '', verdict = '', meaning = '', remedy = '']) => ({ code, verdict, meaning, remedy }))

describe('the page of error codes', () => {
  it('says of every code what the registry says, in its order, and knows no others', () => {
    expect(rows).toEqual(Object.entries(errorCodes).map(([code, entry]) => ({ code, ...entry })))
  })
})

describe('an error code', () => {
  it.each(Object.entries(errorCodes))(
    '%s is told in one clause and one imperative sentence',
    (code, { meaning, remedy }) => {
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
      expect(meaning).toMatch(/^[^A-Z\s].*[^.]$/)
      expect(remedy).toMatch(/^[A-Z].*\.$/)
    },
  )

  it('is known by its exact name only', () => {
    expect(isErrorCode('NOT_FOUND')).toBe(true)
    for (const other of ['not_found', 'toString', '', undefined, 5]) expect(isErrorCode(other)).toBe(false)
  })
})
