const offsetDigits = 16

/** A place in a channel, as text: `partition-offset`, in text order within a partition. */
export function positionOf(partition: string | number, offset: number): string {
  return `${partition}-${String(offset).padStart(offsetDigits, '0')}`
}

/** The place that a text names; undefined where it is none of ours. */
export function placeOf(position: string): { readonly partition: number; readonly offset: number } | undefined {
  const [, partition, offset] = /^(\d{1,6})-(\d{16})$/.exec(position) ?? []
  return partition === undefined ? undefined : { partition: Number(partition), offset: Number(offset) }
}
