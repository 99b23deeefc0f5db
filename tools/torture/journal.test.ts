import { describe, expect, it } from 'vitest'
import { parseJournal } from './journal.ts'

describe('a journal', () => {
  it('does not hold what the kill has cut', () => {
    expect(parseJournal('{"t":"confirmed","id":"1"}\n{"t":"conf')).toEqual([{ t: 'confirmed', id: '1' }])
  })

  it('that is broken elsewhere is no journal', () => {
    expect(() => parseJournal('{"t":"conf\n{"t":"confirmed","id":"1"}\n')).toThrow(SyntaxError)
  })

  it('may be empty', () => {
    expect(parseJournal('')).toEqual([])
  })
})
