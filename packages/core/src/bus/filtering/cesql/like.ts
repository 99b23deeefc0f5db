/** One piece of a pattern: a character that must be there, any one, or any number of any. */
type Piece = string | typeof anyOne | typeof anyMany

const anyOne = Symbol('_')
const anyMany = Symbol('%')

/**
 * What tells whether a text matches a pattern of LIKE. Takes time in proportion to the product of both lengths at worst,
 * whatever the pattern.
 */
export function likeMatcher(pattern: string): (text: string) => boolean {
  const pieces = piecesOf(pattern)
  return (text) => matches(text, pieces)
}

function piecesOf(pattern: string): readonly Piece[] {
  const pieces: Piece[] = []
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!
    const next = pattern[at + 1]
    if (char === '\\' && (next === '%' || next === '_')) {
      pieces.push(next)
      at += 1
    } else if (char === '%') {
      if (pieces.at(-1) !== anyMany) pieces.push(anyMany)
    } else pieces.push(char === '_' ? anyOne : char)
  }
  return pieces
}

/** Goes back to the latest `%` only: what an earlier one could take as well, the latest can. */
function matches(text: string, pieces: readonly Piece[]): boolean {
  let at = 0
  let piece = 0
  let manyPiece = -1
  let manyAt = 0
  while (at < text.length) {
    const wanted = pieces[piece]
    if (wanted === anyMany) {
      manyPiece = piece++
      manyAt = at
    } else if (wanted === anyOne || wanted === text[at]) {
      at += wanted === anyOne ? charLength(text, at) : 1
      piece += 1
    } else if (manyPiece >= 0) {
      piece = manyPiece + 1
      at = ++manyAt
    } else return false
  }
  while (pieces[piece] === anyMany) piece += 1
  return piece === pieces.length
}

/** A character beyond the basic plane has two units. */
function charLength(text: string, at: number): number {
  return text.codePointAt(at)! > 0xffff ? 2 : 1
}
