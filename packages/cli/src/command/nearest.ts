/** The word that was probably meant; undefined where none is like it. */
export function nearest(given: string, words: readonly string[]): string | undefined {
  const rated = words.map((word) => ({
    word,
    distance: word.startsWith(given) && given !== '' ? 0.5 : distance(given, word),
  }))
  const [best] = rated.sort((one, other) => one.distance - other.distance)
  return best !== undefined && best.distance <= Math.ceil(best.word.length / 3) ? best.word : undefined
}

/**
 * How many letters have to be put in, left out, changed or swapped with their neighbour.
 * @see https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance (optimal string alignment)
 */
export function distance(one: string, other: string): number {
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= other.length; j += 1) {
      const changed = last[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1)
      let least = Math.min(row[j - 1]! + 1, last[j]! + 1, changed)
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      if (isSwap) least = Math.min(least, before[j - 2]! + 1)
      row.push(least)
    }
    before = last
    last = row
  }
  return last[other.length]!
}
