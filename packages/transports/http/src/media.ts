import type { IncomingHttpHeaders } from 'node:http'

/** Whether the request announces a body of at least one byte, or of unknown length. */
export function announcesBody(headers: IncomingHttpHeaders): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && Number(length) > 0
}

/**
 * What is wrong with the body's type; undefined for JSON in UTF-8. Strict on purpose: `text/plain` and form types are
 * what a foreign web page may send without asking, so taking them would undo the browser's protection.
 * @see https://fetch.spec.whatwg.org/#cors-safelisted-request-header
 */
export function mediaMistake(headers: IncomingHttpHeaders): string | undefined {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return `content-encoding '${encoding}' is not taken`
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';')
  if (!jsonType.test(type.trim())) return type === '' ? 'the body has no content-type' : `'${type.trim()}' is not JSON`
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(parameter)?.[1])
    .find((found) => found !== undefined)
  return charset === undefined || charset === 'utf-8' || charset === 'utf8'
    ? undefined
    : `charset '${charset}' is not UTF-8`
}

const jsonType = /^application\/(?:[a-z0-9!#$&^_.-]+\+)?json$/
