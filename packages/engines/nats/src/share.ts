/**
 * How many of `count` ranges each of the members may have: as equal as can be, and the same in every process that knows the
 * same members.
 */
export function quotaOf(member: string, members: readonly string[], count: number): number {
  const sorted = [...members].sort()
  const at = sorted.indexOf(member)
  if (at < 0) return 0
  const each = Math.floor(count / sorted.length)
  return at < count % sorted.length ? each + 1 : each
}

/** In which order a member tries ranges that are free: each begins elsewhere, so that they seldom meet. */
export function* rangesFrom(member: string, members: readonly string[], count: number): Generator<number> {
  const sorted = [...members].sort()
  const start = Math.floor((Math.max(0, sorted.indexOf(member)) * count) / Math.max(1, sorted.length))
  for (let step = 0; step < count; step += 1) yield (start + step) % count
}
