/** How the ranges of a group are shared at this moment, as far as one member knows. */
export interface Shares {
  readonly ranges: number
  readonly members: number
  /** How many this member reads, those that it is about to give up not counted. */
  readonly own: number
}

/** How many ranges a member reads that others should: none has more than its share, rounded up. */
export function surplus({ ranges, members, own }: Shares): number {
  return Math.max(0, own - Math.ceil(ranges / Math.max(1, members)))
}

/** Whether a member that reads `other` ranges should have one of this member's. */
export function owes(shares: Shares, other: number): boolean {
  if (surplus(shares) > 0) return true
  const least = leastShare(shares)
  return other < least && shares.own > least
}

function leastShare({ ranges, members }: Shares): number {
  return Math.floor(ranges / Math.max(1, members))
}
