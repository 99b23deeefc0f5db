/**
 * Whether text is an RFC 3339 timestamp, with a day that its month has. A leap second (`:60`) passes.
 * @see https://www.rfc-editor.org/rfc/rfc3339#section-5.6
 */
export function isTimestamp(text: string): boolean {
  const parts = timestampPattern.exec(text)
  if (parts === null) return false
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])]
  return day <= daysIn(year, month)
}

/**
 * Whether text is a URI-reference, the empty one included.
 * @see https://www.rfc-editor.org/rfc/rfc3986#section-4.1
 */
export function isUriReference(text: string): boolean {
  return isUri(text) || relativePattern.test(text)
}

/**
 * Whether text is an absolute URI.
 * @see https://www.rfc-editor.org/rfc/rfc3986#section-3
 */
export function isUri(text: string): boolean {
  return uriPattern.test(text)
}

const timestampPattern =
  /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

// The grammar of RFC 3986 in its own terms; only what stands between the brackets of an IP literal is taken on trust.
const unit = "[A-Za-z0-9\\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2}"
const segment = `(?:${unit}|[:@])*`
const authority = `(?:(?:${unit}|:)*@)?(?:\\[[0-9A-Fa-fv:.%~_-]+\\]|(?:${unit})*)(?::\\d*)?`
const pathAfterAuthority = `(?:/${segment})*`
const absolutePath = `/(?:(?:${unit}|[:@])+${pathAfterAuthority})?`
const rest = `(?:\\?(?:${unit}|[:@/?])*)?(?:#(?:${unit}|[:@/?])*)?`
const rootless = `(?:${unit}|[:@])+${pathAfterAuthority}`
const noColonFirst = `(?:${unit}|@)+${pathAfterAuthority}`
const uriPattern = new RegExp(
  `^[A-Za-z][A-Za-z0-9+.-]*:(?://${authority}${pathAfterAuthority}|${absolutePath}|${rootless}|)${rest}$`,
)
const relativePattern = new RegExp(`^(?://${authority}${pathAfterAuthority}|${absolutePath}|${noColonFirst}|)${rest}$`)
