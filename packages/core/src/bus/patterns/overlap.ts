/**
 * Whether some name matches both patterns. A name is a pattern that matches itself alone, so this also tells whether a
 * name matches a pattern.
 */
export function overlap(one: string, other: string): boolean {
  return wordsOverlap(one.split('.'), other.split('.'))
}

function wordsOverlap(one: readonly string[], other: readonly string[]): boolean {
  const length = Math.min(one.length, other.length)
  for (let at = 0; at < length; at++) {
    const [a, b] = [one[at], other[at]]
    // It stands at the end and for at least one word, which the other has here.
    if (a === '**' || b === '**') return true
    if (a !== b && a !== '*' && b !== '*') return false
  }
  return one.length === other.length
}
