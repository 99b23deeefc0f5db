const spans: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
]
const sizes: readonly (readonly [string, number])[] = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
]

/** A span of time in its largest unit: `7d`, `90s`, `250ms`. */
export function spanText(ms: number): string {
  const fits = spans.find(([, unit]) => ms >= unit && ms % unit === 0)
  return fits === undefined ? `${ms}ms` : `${ms / fits[1]}${fits[0]}`
}

/** A number of bytes in its largest unit, to a tenth. */
export function bytesText(bytes: number): string {
  const fits = sizes.find(([, unit]) => bytes >= unit)
  return fits === undefined ? `${bytes}B` : `${Number((bytes / fits[1]).toFixed(1))}${fits[0]}`
}

/** A whole number with its thousands apart. */
export function figure(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** `1 message`, `2 messages` */
export function counted(count: number, noun: string): string {
  return `${figure(count)} ${noun}${count === 1 ? '' : 's'}`
}
